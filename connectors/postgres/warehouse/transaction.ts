import pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Attempt } from '../../connector.ts';
import type { Session } from '../session.ts';
import type { PostgresSettings } from '../settings.ts';
import { watch } from './watch.ts';

/** How long a statement waits for a lock, and how often the transaction is tried. */
export interface LockPolicy {
  readonly timeout: number;
  readonly attempts: number;
}

const passing: ReadonlySet<string> = new Set(['55P03', '40P01', '40001']);

/** Runs work in a transaction, again when a lock couldn't be had, and proves to the attempt that it is alive. Throws `unavailable` naming the blocking session. */
export async function inTransaction<T>(
  settings: PostgresSettings,
  session: Session,
  attempt: Attempt,
  locks: LockPolicy,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  await using watching = watch(settings, session.pid, attempt, Math.max(50, Math.min(500, locks.timeout / 4)));
  return await session.run(async (client) => {
    for (let no = 1; ; no++) {
      try {
        return await once(client, attempt, locks, work);
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        if (!(error instanceof pg.DatabaseError) || !passing.has(error.code ?? '')) throw error;
        if (no >= locks.attempts) throw blocked(error, watching.blockers());
      }
    }
  });
}

/** Keys are grouped and indexes built in memory; a server that allows more keeps its own setting. */
const atLeast = (name: string, megabytes: number): string =>
  `SELECT set_config('${name}', '${megabytes}MB', true) WHERE pg_size_bytes(current_setting('${name}')) < ${megabytes}::bigint << 20`;

async function once<T>(client: pg.Client, attempt: Attempt, locks: LockPolicy, work: (client: pg.Client) => Promise<T>): Promise<T> {
  attempt.signal.throwIfAborted();
  await client.query('BEGIN');
  await client.query(
    `SET LOCAL lock_timeout = ${locks.timeout}; SET LOCAL synchronous_commit = on; SET LOCAL row_security = off; ${atLeast('work_mem', 64)}; ${atLeast('maintenance_work_mem', 128)}`,
  );
  const result = await work(client);
  attempt.signal.throwIfAborted();
  await client.query('COMMIT');
  return result;
}

function blocked(error: pg.DatabaseError, blockers: string): MillraceError {
  const who = blockers === '' ? '' : `; it is held by ${blockers}`;
  return new MillraceError('unavailable', `warehouse: a lock could not be had in time (SQLSTATE ${error.code})${who}`);
}

/** Ends the sessions of earlier attempts of the same step, which carry the same name, and waits for their end. */
export async function endEarlierSessions(client: pg.Client): Promise<void> {
  await client.query(
    `SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity
     WHERE application_name = current_setting('application_name') AND pid <> pg_catalog.pg_backend_pid()
       AND datname = current_database() AND usename = current_user`,
  );
}

/** Ends all other sessions that work for a load, so that none of them holds its table, and waits for their end. */
export async function endSessionsOf(client: pg.Client, loadId: string): Promise<void> {
  await client.query(
    `SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity
     WHERE starts_with(application_name, $1) AND pid <> pg_catalog.pg_backend_pid() AND datname = current_database() AND usename = current_user`,
    [`millrace:${loadId}:`],
  );
}
