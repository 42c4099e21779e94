import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { ModelReport, RunReport } from '../schema/run.ts';
import type { SyncReport } from '../schema/sync.ts';
import { runIdOf } from './names.ts';
import type { PipelineDefinition } from '../schema/definition.ts';
import { ingestRun, ingestStanding, loadsEvents } from './ingest-standing.ts';
import { runOutcome, runProgress, syncProgress, type Runnable } from './runs.ts';

/** A run as the server lists it; what loads events counts as one. */
export interface PastRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly state: 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
}

const states: Readonly<Record<string, PastRun['state']>> = {
  RUNNING: 'running',
  COMPLETED: 'succeeded',
  CONTINUED_AS_NEW: 'succeeded',
  CANCELLED: 'cancelled',
};

const pastRun = (info: WorkflowExecutionInfo): PastRun => ({
  workflowId: info.workflowId,
  runId: info.runId,
  state: states[info.status.name] ?? 'failed',
  startedAt: info.startTime,
  endedAt: info.closeTime,
});

/** The newest runs of a pipeline, model or sync, started by hand and by its schedule, newest first. */
export async function latestRuns(
  client: Client,
  { kind, definition }: { readonly kind: Runnable['kind']; readonly definition: Pick<PipelineDefinition, 'project' | 'name'> },
  limit: number,
): Promise<readonly PastRun[]> {
  const { project, name } = definition;
  const id = runIdOf(project, name).replaceAll("'", "''");
  // A schedule appends the time to the id; another name may begin like this one, so the memo decides.
  const query = `WorkflowType = '${kind}' AND (WorkflowId = '${id}' OR WorkflowId STARTS_WITH '${id}-')`;
  const runs: PastRun[] = [];
  for await (const info of client.workflow.list({ query })) {
    const isOurs = info.memo?.['name'] === name || info.workflowId === id;
    if (isOurs && runs.push(pastRun(info)) === limit) break;
  }
  return runs;
}

/** What is known of a run: what it did, and why it failed. */
export interface PastOutcome {
  readonly report?: RunReport | undefined;
  readonly model?: ModelReport | undefined;
  readonly sync?: SyncReport | undefined;
  readonly failure?: { readonly code: string; readonly message: string } | undefined;
}

/** What a run did: so far, or in the end. */
export async function reportOf(client: Client, runnable: Runnable, run: PastRun): Promise<PastOutcome> {
  if (run.state === 'running') return await progressOf(client, runnable, run);
  const outcome = await runOutcome(client, runnable, run);
  if (outcome.ok) return { report: outcome.report, model: outcome.model, sync: outcome.sync };
  return { report: outcome.report, sync: outcome.sync, failure: { code: outcome.code, message: outcome.message } };
}

async function progressOf(client: Client, { kind }: Runnable, run: PastRun): Promise<PastOutcome> {
  if (kind === 'pipeline') return { report: await runProgress(client, run) };
  return kind === 'sync' ? { sync: await syncProgress(client, run) } : {};
}

/** Runs, and first the workflow of a pipeline that loads events. */
async function runsWithEvents(client: Client, runnable: Runnable): Promise<readonly PastRun[]> {
  const runs = await latestRuns(client, runnable, 20);
  const events =
    runnable.kind === 'pipeline' && loadsEvents(runnable.definition) ? await ingestStanding(client, runnable.definition) : undefined;
  return events === undefined ? runs : [ingestRun(events), ...runs];
}

/** Asks the runs under way of a pipeline, model or sync to stop, and gives them; their steps stop their work, and their loads are given up. */
export async function cancelRuns(client: Client, runnable: Runnable): Promise<readonly PastRun[]> {
  const runs = (await runsWithEvents(client, runnable)).filter(({ state }) => state === 'running');
  await Promise.all(runs.map(({ workflowId, runId }) => client.workflow.getHandle(workflowId, runId).cancel()));
  return runs;
}
