import { DatabaseError } from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import { translate } from '../session-errors.ts';
import type { Session } from '../session.ts';
import { quoteIdentifier } from '../sql.ts';

interface RoleRow {
  readonly name: string;
  readonly unbound: boolean;
}

const roleQuery = `SELECT rolname::text AS name, rolsuper OR rolbypassrls AS unbound FROM pg_catalog.pg_roles WHERE rolname = current_user`;

/** Takes a role that row-level security holds for; throws `config` for another one, and for one that can't be taken. */
export async function takeRole(session: Session, name: string, what: string): Promise<void> {
  try {
    await session.client.query(`SET ROLE ${quoteIdentifier(name)}`);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw translate(error, what);
    throw new MillraceError('config', `${what}: the gateway's role can't be taken: ${error.message}; GRANT it to the connection's user`);
  }
  const [role] = await session.query<RoleRow>(roleQuery);
  if (role?.unbound === false) return;
  throw new MillraceError(
    'config',
    `${what}: the gateway's role ${name} is a superuser or may bypass row-level security; give it one that can't: CREATE ROLE … NOLOGIN; GRANT SELECT …`,
  );
}

interface FactsRow extends RoleRow {
  readonly number: number;
  readonly version: string;
  readonly writes: string | null;
}

const facts = `SELECT r.name, r.unbound, current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
  (SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', '_millrace') AND n.nspname !~ '^pg_'
     AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE') LIMIT 1) AS writes
FROM (${roleQuery}) r`;

/** What is less safe about the session's role than it could be, as sentences. Throws `config` for a server that is too old. */
export async function roleNotes(session: Session, what: string, bound: boolean): Promise<readonly string[]> {
  const [found] = await session.query<FactsRow>(facts);
  if (found === undefined) throw new MillraceError('unavailable', `${what}: the server answered nothing`);
  if (found.number < 120_000) throw new MillraceError('config', `${what}: PostgreSQL ${found.version} is too old; 12 or newer is needed`);
  const remedy = 'set gateway.role to a role that may only read what is published';
  if (found.unbound) return [`${what}: ${found.name} is a superuser or may bypass row-level security; ${remedy}`];
  if (found.writes === null) return [];
  return [
    bound
      ? `${what}: the role ${found.name} may write ${found.writes}; the gateway's sessions are read-only, but a role without that right is safer`
      : `${what}: ${found.name} may write ${found.writes}; the gateway's sessions are read-only, but ${remedy}`,
  ];
}

/** Throws `config` behind a pooler that hands each transaction another server session: settings and statements would be another's. */
export async function requireSession(session: Session, what: string): Promise<void> {
  await session.query('BEGIN READ ONLY');
  const [row] = await session.query<{ own: boolean }>(
    `SELECT current_setting('TimeZone') = 'UTC' AND current_setting('default_transaction_read_only') = 'on' AND pg_backend_pid() = $1 AS own`,
    [session.pid],
  );
  await session.query('ROLLBACK');
  if (row?.own === true) return;
  throw new MillraceError(
    'config',
    `${what}: the connection goes through a pooler that shares server sessions (transaction or statement mode); give the url of the server, or of a pooler in session mode`,
  );
}
