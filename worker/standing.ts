import type { Client } from '@temporalio/client';
import { failureMessage } from '../client/failure-message.ts';
import { latestRuns } from '../client/run-history.ts';
import type { RunReport } from '../schema/run.ts';
import type { Standing } from '../schema/watch.ts';

const looksAt = 20;
const shows = 10;

const quoted = (text: string): string => text.replaceAll("'", "''");

/** The newest run that loaded its streams; one that was skipped did not. */
async function lastSuccess(client: Client, project: string, name: string): Promise<number | null> {
  for (const run of await latestRuns(client, { kind: 'pipeline', definition: { project, name } }, looksAt)) {
    if (run.state !== 'succeeded' || run.endedAt === undefined) continue;
    const report: Pick<RunReport, 'status'> = await client.workflow.getHandle(run.workflowId, run.runId).result();
    if (report.status === 'succeeded') return run.endedAt.getTime();
  }
  return null;
}

/** What the streams under way do, and why they are tried again. */
async function underWay(client: Client, project: string, name: string): Promise<Standing['underWay']> {
  const query = `WorkflowType = 'stream' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH '${quoted(`${project}/${name}/`)}'`;
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

/** How a pipeline stands: its last success, and what its runs under way wait for. */
export async function findStanding(client: Client, project: string, name: string): Promise<Standing> {
  return { lastSuccess: await lastSuccess(client, project, name), underWay: await underWay(client, project, name) };
}
