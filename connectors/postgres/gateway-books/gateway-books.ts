import type { AuditEntry, GatewayBooks } from '../../gateway-books.ts';
import { KeptSession } from '../kept-session.ts';
import type { PostgresSettings } from '../settings.ts';
import { AuditAppend, listAudit, retainAudit, verifyAudit } from './audit.ts';
import { changesAfter, forgottenChange, latestChange } from './changes.ts';
import { ChangesFollower } from './listener.ts';
import { createToken, findToken, listTokens, revokeToken } from './tokens.ts';

/** What is told to be done stays done when the server ends at once. */
const settings = { synchronous_commit: 'on' } as const;

/** The books of a gateway in a database. Tokens, the audit log and changes have a connection each, so that none waits for another. */
export async function openGatewayBooks(postgres: PostgresSettings, name: string): Promise<GatewayBooks> {
  const what = `connection ${name}, books of the gateway`;
  const tokens = new KeptSession(postgres, what, { settings, deadline: 5_000 });
  const audit = new KeptSession(postgres, what, { settings: { ...settings, statement_timeout: '60s' }, deadline: 90_000 });
  const changes = new KeptSession(postgres, what, { deadline: 15_000 });
  const followers = new Set<ChangesFollower>();
  return {
    check: async () => await tokens.run(async () => undefined),
    createToken: async (token) => await tokens.run(async (session) => await createToken(session, token)),
    listTokens: async (project) => await tokens.run(async (session) => await listTokens(session, project)),
    revokeToken: async (project, id) => await tokens.run(async (session) => await revokeToken(session, project, id)),
    findToken: async (project, id) => await tokens.run(async (session) => await findToken(session, project, id)),
    async audit(entries) {
      for (const [project, own] of byProject(entries)) {
        const append = new AuditAppend(project, own);
        await audit.run(async (session) => await append.run(session));
      }
    },
    listAudit: async (project, limit) => await audit.run(async (session) => await listAudit(session, project, limit)),
    verifyAudit: async (project) => await audit.run(async (session) => await verifyAudit(session, project)),
    retainAudit: async (project, age) => await audit.run(async (session) => await retainAudit(session, project, age)),
    changesAfter: async (id, limit) => await changes.run(async (session) => await changesAfter(session, id, limit)),
    latestChange: async () => await changes.run(latestChange),
    forgottenChange: async () => await changes.run(forgottenChange),
    async listen(listener, after) {
      const follower = new ChangesFollower(postgres, what, listener, after);
      followers.add(follower);
      await follower.start();
      return {
        [Symbol.asyncDispose]: async () => {
          followers.delete(follower);
          await follower[Symbol.asyncDispose]();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      const all = [...followers, tokens, audit, changes];
      followers.clear();
      await Promise.all(all.map(async (one) => await one[Symbol.asyncDispose]()));
    },
  };
}

function byProject(entries: readonly AuditEntry[]): ReadonlyMap<string, readonly AuditEntry[]> {
  const found = new Map<string, AuditEntry[]>();
  for (const entry of entries) {
    const own = found.get(entry.project);
    if (own === undefined) found.set(entry.project, [entry]);
    else own.push(entry);
  }
  return found;
}
