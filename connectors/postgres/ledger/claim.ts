import type pg from 'pg';
import type { SyncPlan, SyncRunName } from '../../../schema/sync.ts';

/** A run as the books have it when a step begins. */
export interface ClaimedRun {
  readonly syncNo: number;
  readonly runNo: number;
  readonly status: 'running' | 'succeeded' | 'failed';
  /** What was planned already. */
  readonly plan: SyncPlan | null;
}

interface ClaimRow {
  readonly sync_no: number;
  readonly run_no: number;
  readonly status: ClaimedRun['status'];
  readonly plan: string | null;
}

/** Enters the sync and the run into the books, once. */
export async function enterRun(client: pg.Client, run: SyncRunName): Promise<ClaimedRun> {
  await client.query(
    `INSERT INTO _millrace.syncs (project, sync, epoch, released) VALUES ($1, $2, 0, true) ON CONFLICT (project, sync) DO NOTHING`,
    [run.project, run.sync],
  );
  await client.query(
    `INSERT INTO _millrace.sync_runs (run_id, sync_no, project, sync, status, workflow_id, workflow_run_id)
     SELECT $3, sync_no, project, sync, 'running', $4, $5 FROM _millrace.syncs WHERE (project, sync) = ($1, $2) ON CONFLICT (run_id) DO NOTHING`,
    [run.project, run.sync, run.runId, run.workflowId, run.workflowRunId],
  );
  const { rows } = await client.query<ClaimRow>(
    'SELECT sync_no, run_no, status, plan::text AS plan FROM _millrace.sync_runs WHERE run_id = $1',
    [run.runId],
  );
  const row = rows[0];
  if (row === undefined) throw new Error(`sync ${run.sync}: run ${run.runId} could not be entered`);
  const plan = row.plan === null ? null : (JSON.parse(row.plan) as SyncPlan);
  return { syncNo: row.sync_no, runNo: row.run_no, status: row.status, plan };
}

/** Gives the books to a run that is about to plan: whoever wrote them before can't any more. Whether that one let go stays noted. */
export async function takeOver(client: pg.Client, run: SyncRunName, syncNo: number): Promise<void> {
  await client.query('UPDATE _millrace.syncs SET epoch = epoch + 1, run_id = $2 WHERE sync_no = $1', [syncNo, run.runId]);
}
