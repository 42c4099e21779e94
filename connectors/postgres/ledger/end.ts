import pg from 'pg';
import type { SyncCounts, SyncRunName } from '../../../schema/sync.ts';
import type { SyncDefinition } from '../../../schema/sync-definition.ts';
import type { Attempt } from '../../connector.ts';
import { enterRun } from './claim.ts';
import type { BooksConnection } from './connection.ts';
import { countColumns, countsOf, type CountRow } from './counts.ts';
import { planTable } from './names.ts';

/** Closes a run's books, also of one that never planned. The first word on how it ended stays. */
export async function end(books: BooksConnection, run: SyncRunName, failure: string | undefined, attempt: Attempt): Promise<SyncCounts> {
  const { counts, hasJobs } = await books.transaction(attempt, async (client) => {
    await enterRun(client, run);
    const { rows } = await client.query<CountRow & { readonly has_jobs: boolean }>(
      `UPDATE _millrace.sync_runs SET status = CASE WHEN status = 'running' THEN $2 ELSE status END,
         failure = CASE WHEN status = 'running' THEN $3 ELSE failure END, ended_at = coalesce(ended_at, now())
       WHERE run_id = $1 RETURNING ${countColumns()}, jobs IS NOT NULL AS has_jobs`,
      [run.runId, failure === undefined ? 'succeeded' : 'failed', failure ?? null],
    );
    return { counts: countsOf(rows[0]), hasJobs: rows[0]?.has_jobs === true };
  });
  if (!hasJobs) await books.run(attempt, async (client) => await dropPlans(client, [planTable(run)]));
  return counts;
}

/** Drops tables of plans; one that somebody reads waits for the next time. */
async function dropPlans(client: pg.Client, tables: readonly string[]): Promise<void> {
  await client.query(`SET lock_timeout = '2s'`);
  try {
    for (const table of tables) {
      await client.query(`DROP TABLE IF EXISTS ${table}`).catch((error: unknown) => {
        if (!(error instanceof pg.DatabaseError) || error.code !== '55P03') throw error;
      });
    }
  } finally {
    await client.query(`SET lock_timeout = '0'`).catch(() => undefined);
  }
}

/** Deletes what the books keep no longer; the last run of a sync stays. */
export async function retain(books: BooksConnection, sync: SyncDefinition, attempt: Attempt): Promise<void> {
  const values = [sync.project, sync.name];
  await books.run(attempt, async (client) => {
    await client.query(
      `DELETE FROM _millrace.sync_log_rows WHERE sync_no = (SELECT sync_no FROM _millrace.syncs WHERE (project, sync) = ($1, $2))
         AND at < now() - make_interval(secs => $3)`,
      [...values, sync.retention.log / 1000],
    );
    await client.query(
      `DELETE FROM _millrace.sync_removed WHERE sync_no = (SELECT sync_no FROM _millrace.syncs WHERE (project, sync) = ($1, $2))
         AND at < now() - interval '30 days'`,
      values,
    );
    // A run that nobody ended, while a later one has the books: its worker and workflow were lost.
    await client.query(
      `UPDATE _millrace.sync_runs r SET status = 'failed', failure = 'given up: it never ended, and a later run took over', ended_at = now()
       FROM _millrace.syncs s WHERE (r.project, r.sync) = ($1, $2) AND r.status = 'running' AND s.sync_no = r.sync_no AND r.run_id <> s.run_id
         AND r.run_no < (SELECT run_no FROM _millrace.sync_runs WHERE run_id = s.run_id)`,
      values,
    );
    await client.query(
      `DELETE FROM _millrace.sync_runs r WHERE (project, sync) = ($1, $2) AND status <> 'running' AND started_at < now() - make_interval(secs => $3)
         AND EXISTS (SELECT FROM _millrace.sync_runs later WHERE (later.project, later.sync) = ($1, $2) AND later.run_no > r.run_no)`,
      [...values, sync.retention.runs / 1000],
    );
    const { rows } = await client.query<{ name: string }>(
      `SELECT '_millrace.' || c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = '_millrace' AND c.relkind = 'r' AND c.relname ~ '^p_[0-9a-f]{32}$' AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
         AND NOT EXISTS (SELECT FROM _millrace.sync_runs r WHERE (r.status = 'running' OR r.jobs IS NOT NULL) AND 'p_' || replace(r.run_id::text, '-', '') = c.relname)`,
    );
    await dropPlans(
      client,
      rows.map(({ name }) => name),
    );
  });
}
