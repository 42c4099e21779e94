import type pg from 'pg';
import type { LeftJobs, SyncJob, SyncPlan } from '../../../schema/sync.ts';
import type { Attempt } from '../../connector.ts';
import type { Hold, JobsOf } from '../../sync-books.ts';
import type { BooksConnection } from './connection.ts';
import { countColumns, countsOf, type CountRow } from './counts.ts';
import { fenced } from './hold.ts';

/** What the books keep of jobs under way. */
interface KeptJobs {
  readonly jobs: readonly SyncJob[];
  readonly of: JobsOf;
}

/** Keeps which jobs of a run are under way, in place of those that were known; it proves the hold. */
export async function noteJobs(books: BooksConnection, hold: Hold, jobs: readonly SyncJob[], of: JobsOf, attempt: Attempt): Promise<void> {
  const { run, epoch } = hold;
  const kept: KeptJobs = { jobs, of };
  await books.run(attempt, async (client) => {
    const { rowCount } = await client.query(
      `WITH held AS (SELECT r.run_no FROM _millrace.syncs s JOIN _millrace.sync_runs r ON r.sync_no = s.sync_no
         WHERE (s.project, s.sync, s.epoch) = ($1, $2, $3) AND r.run_id = $4 FOR UPDATE OF r FOR SHARE OF s)
       UPDATE _millrace.sync_runs r SET jobs = $5 FROM held WHERE r.run_no = held.run_no`,
      [run.project, run.sync, epoch, run.runId, jobs.length === 0 ? null : JSON.stringify(kept)],
    );
    if (rowCount === 0) throw fenced(run);
  });
}

type LeftRow = CountRow & {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly workflow_run_id: string;
  readonly plan: string;
  readonly jobs: string;
};

/** Jobs of the run that has the books, where that is an earlier one: it ended, or was ended, before they did. */
export async function findLeftJobs(client: pg.Client, syncNo: number, runId: string): Promise<LeftJobs | undefined> {
  const { rows } = await client.query<LeftRow & { readonly project: string; readonly sync: string }>(
    `SELECT r.project, r.sync, r.run_id, r.workflow_id, r.workflow_run_id, r.plan::text AS plan, r.jobs::text AS jobs, ${countColumns('r.')}
     FROM _millrace.syncs s JOIN _millrace.sync_runs r USING (run_id)
     WHERE s.sync_no = $1 AND r.run_id <> $2 AND r.jobs IS NOT NULL AND r.plan IS NOT NULL`,
    [syncNo, runId],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { jobs, of } = JSON.parse(row.jobs) as KeptJobs;
  const { columns } = JSON.parse(row.plan) as SyncPlan;
  const { project, sync } = row;
  const run = { project, sync, runId: row.run_id, workflowId: row.workflow_id, workflowRunId: row.workflow_run_id };
  return { run, of, columns, jobs, counts: countsOf(row) };
}

/** Somebody said what became of rows without an outcome: nobody asks about earlier jobs any more. */
export async function forgetJobs(client: pg.Client, syncNo: number, runId: string): Promise<void> {
  await client.query('UPDATE _millrace.sync_runs SET jobs = NULL WHERE sync_no = $1 AND run_id <> $2 AND jobs IS NOT NULL', [
    syncNo,
    runId,
  ]);
}
