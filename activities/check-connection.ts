import { hostname } from 'node:os';
import type { CheckReport } from '../connectors/connector.ts';
import type { Checked, ConnectionToCheck } from '../schema/check.ts';
import { MillraceError } from '../schema/errors.ts';
import { looseAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';

async function reportOf(deps: Dependencies, { connection, role }: ConnectionToCheck): Promise<CheckReport> {
  const attempt = looseAttempt('check');
  if (role === 'source') {
    await using source = await deps.openSource(connection);
    return await source.check(attempt);
  }
  if (role === 'webhook') {
    await deps.lookUp(connection);
    return { system: 'its secrets are there; nothing was posted', problems: [], warnings: [] };
  }
  await using warehouse = await deps.openWarehouse(connection);
  return await warehouse.check(attempt, role === 'models' ? 'query' : 'load');
}

/** Asks one connection whether it works, from this worker; what doesn't comes back as sentences. */
export const createCheckConnection = (deps: Dependencies) =>
  async function checkConnection(input: ConnectionToCheck): Promise<Checked> {
    const about = { kind: 'connection', name: input.connection.name, role: input.role, host: hostname() } as const;
    try {
      const { system, problems, warnings } = await reportOf(deps, input);
      return { ...about, system, problems, warnings };
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      return { ...about, system: '', problems: [deps.scrub(error.message)], warnings: [] };
    }
  };
