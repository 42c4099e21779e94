import type pg from 'pg';
import type { Attempt } from '../../connector.ts';
import type { BookedSyncRun, LogEntry, OpenRow } from '../../../schema/sync-books.ts';
import type { SyncDefinition } from '../../../schema/sync-definition.ts';
import type { BooksConnection } from './connection.ts';
import { countColumns, countsOf, type CountRow } from './counts.ts';
import { isoTime } from './names.ts';
import { readMappingChange, type MappingChange } from './state.ts';

interface Query {
  readonly project: string;
  readonly sync: string;
  readonly limit: number;
}

const openColumns = `key, outcome, operation, reason, code, request_id AS "requestId", attempts,
  ${isoTime('first_at')} AS "firstAt", ${isoTime('at')} AS at, ${isoTime('next_at')} AS "nextAt"`;

/** Open rows, the latest first. */
export async function listOpen(books: BooksConnection, query: Query, attempt: Attempt): Promise<readonly OpenRow[]> {
  return await books.run(attempt, async (client) => {
    const { rows } = await client.query<OpenRow>(
      `SELECT ${openColumns} FROM _millrace.sync_open o WHERE (project, sync) = ($1, $2) ORDER BY o.at DESC, key LIMIT $3`,
      [query.project, query.sync, query.limit],
    );
    return rows;
  });
}

/** When the first refused row has its turn again. */
export async function retryAt(books: BooksConnection, query: Omit<Query, 'limit'>, attempt: Attempt): Promise<number | null> {
  return await books.run(attempt, async (client) => {
    const { rows } = await client.query<{ at: string | null }>(
      `SELECT floor(extract(epoch FROM min(o.next_at)) * 1000)::bigint AS at FROM _millrace.sync_open_rows o JOIN _millrace.syncs s USING (sync_no)
       WHERE (s.project, s.sync) = ($1, $2) AND o.outcome = 'rejected'`,
      [query.project, query.sync],
    );
    const at = rows[0]?.at ?? null;
    return at === null ? null : Number(at);
  });
}

/** One key's open row. */
export async function findOpen(client: pg.Client, syncNo: number, key: string): Promise<OpenRow | null> {
  const { rows } = await client.query<OpenRow>(`SELECT ${openColumns} FROM _millrace.sync_open_rows WHERE sync_no = $1 AND key = $2`, [
    syncNo,
    key,
  ]);
  return rows[0] ?? null;
}

/** One key's entries of the log, the latest first. */
export async function findLog(client: pg.Client, syncNo: number, key: string): Promise<readonly LogEntry[]> {
  const { rows } = await client.query<LogEntry>(
    `SELECT ${isoTime('l.at')} AS at, coalesce(r.run_id::text, '') AS "runId", l.operation, l.outcome, l.reason, l.request_id AS "requestId"
     FROM _millrace.sync_log_rows l LEFT JOIN _millrace.sync_runs r USING (run_no) WHERE l.sync_no = $1 AND l.key = $2 ORDER BY l.at DESC LIMIT 20`,
    [syncNo, key],
  );
  return rows;
}

type RunRow = Omit<BookedSyncRun, keyof CountRow> & CountRow;

/** Runs, the latest first. */
export async function listRuns(books: BooksConnection, query: Query, attempt: Attempt): Promise<readonly BookedSyncRun[]> {
  return await books.run(attempt, async (client) => {
    const { rows } = await client.query<RunRow>(
      `SELECT sync, run_id::text AS "runId", status, failure, workflow_id AS "workflowId", workflow_run_id AS "workflowRunId",
         ${isoTime('started_at')} AS "startedAt", ${isoTime('ended_at')} AS "endedAt", ${countColumns()}
       FROM _millrace.sync_runs WHERE (project, sync) = ($1, $2) ORDER BY run_no DESC LIMIT $3`,
      [query.project, query.sync, query.limit],
    );
    return rows.map((row) => ({ ...row, ...countsOf(row) }));
  });
}

/** How many rows of the ledger were sent under another mapping, and what changed. */
export async function mappingChange(
  books: BooksConnection,
  sync: SyncDefinition,
  identity: string | undefined,
  attempt: Attempt,
): Promise<MappingChange | undefined> {
  return await books.run(attempt, async (client) => {
    const { rows: found } = await client.query<{ sync_no: number }>(
      'SELECT sync_no FROM _millrace.syncs WHERE (project, sync) = ($1, $2)',
      [sync.project, sync.name],
    );
    if (found[0] === undefined) return undefined;
    return await readMappingChange(client, found[0].sync_no, { sync, identity });
  });
}
