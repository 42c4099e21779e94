import type { Client } from '@temporalio/client';
import { failureMessage } from '../client/failure-message.ts';
import { caughtUpAt } from '../client/ingest-standing.ts';
import { latestRuns } from '../client/run-history.ts';
import type { IngestReport } from '../schema/ingest.ts';
import type { RunReport } from '../schema/run.ts';
import type { SyncReport } from '../schema/sync.ts';
import type { Standing } from '../schema/watch.ts';

const looksAt = 20;
const shows = 10;

const quoted = (text: string): string => text.replaceAll("'", "''");

/** A run that was skipped loaded nothing; but a continuous sync that found nothing new has the application as the model is. */
const isSuccess = ({ status, pulse }: Pick<RunReport, 'status'> & Pick<SyncReport, 'pulse'>): boolean =>
  status === 'succeeded' || (status === 'skipped' && pulse !== undefined);

/** The end of the newest run that did what it is for. */
async function lastSuccess(client: Client, kind: 'pipeline' | 'sync', project: string, name: string): Promise<number | null> {
  for (const run of await latestRuns(client, { kind, definition: { project, name } }, looksAt)) {
    if (run.state !== 'succeeded' || run.endedAt === undefined) continue;
    if (isSuccess(await client.workflow.getHandle(run.workflowId, run.runId).result())) return run.endedAt.getTime();
  }
  return null;
}

/** What the streams under way do, or the delivery of a sync, and why they are tried again. */
async function underWay(client: Client, project: string, name: string): Promise<Standing['underWay']> {
  const query = `WorkflowType IN ('stream', 'deliver', 'ingest') AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH '${quoted(`${project}/${name}/`)}'`;
  const found: { workflowId: string; runId: string; sentence: string }[] = [];
  for await (const { workflowId, runId, startTime } of client.workflow.list({ query })) {
    const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
    const stuck = raw.pendingActivities?.find(({ lastFailure }) => typeof lastFailure?.message === 'string');
    const why =
      stuck === undefined
        ? ''
        : `; ${stuck.activityType?.name ?? 'a step'} is at attempt ${stuck.attempt ?? 1}: ${await failureMessage(client, stuck.lastFailure)}`;
    const stream = workflowId.slice(`${project}/${name}/`.length);
    if (found.push({ workflowId, runId, sentence: `${stream}: under way since ${startTime.toISOString()}${why}` }) === shows) break;
  }
  return found;
}

/** Of a pipeline of events: up to when the warehouse has what came. */
async function lastOfEvents(client: Client, project: string, name: string): Promise<number | null> {
  const query = `WorkflowType = 'ingest' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH '${quoted(`${project}/${name}/`)}'`;
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    const report = await client.workflow.getHandle(workflowId, runId).query<IngestReport>('ingestProgress');
    return caughtUpAt({ report })?.getTime() ?? null;
  }
  return null;
}

/** How a pipeline or sync stands, which share their names: its last success, and what its runs under way wait for. */
export async function findStanding(client: Client, project: string, name: string): Promise<Standing> {
  const last =
    (await lastOfEvents(client, project, name)) ??
    (await lastSuccess(client, 'pipeline', project, name)) ??
    (await lastSuccess(client, 'sync', project, name));
  return { lastSuccess: last, underWay: await underWay(client, project, name) };
}
