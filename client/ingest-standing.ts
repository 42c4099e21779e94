import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { PipelineDefinition } from '../schema/definition.ts';
import type { IngestReport } from '../schema/ingest.ts';
import type { StartedRun } from './runs.ts';
import { ingestWorkflowId } from './wake-ingest.ts';

/** Whether a pipeline loads the events of an ingest connection: one workflow does, for as long as events come. */
export const loadsEvents = ({ from }: Pick<PipelineDefinition, 'from'>): boolean => from.type === 'ingest';

/** The workflow that loads the events of a pipeline, and what it did so far, where a worker answers. */
export interface IngestStanding {
  readonly run: Pick<StartedRun, 'workflowId' | 'runId'>;
  readonly isRunning: boolean;
  readonly startedAt: Date;
  readonly report: IngestReport | undefined;
}

/** Milliseconds for a worker to answer: without one a query waits for its time-out. */
const patience = 3_000;

/** How the events of a pipeline stand; undefined where none came yet. */
export async function ingestStanding(
  client: Client,
  definition: Pick<PipelineDefinition, 'project' | 'name' | 'from'>,
): Promise<IngestStanding | undefined> {
  const handle = client.workflow.getHandle(ingestWorkflowId(definition));
  try {
    const { runId, status, startTime, type } = await handle.describe();
    // A run of the pipeline on its stream, of the time before events came, has the same id.
    if (type !== 'ingest') return undefined;
    const report = await client
      .withDeadline(Date.now() + patience, async () => await handle.query<IngestReport>('ingestProgress'))
      .catch(() => undefined);
    return { run: { workflowId: handle.workflowId, runId }, isRunning: status.name === 'RUNNING', startedAt: startTime, report };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** The workflow of events as a run of its pipeline. */
export const ingestRun = ({ run, isRunning, startedAt }: IngestStanding) => ({
  ...run,
  state: isRunning ? ('running' as const) : ('cancelled' as const),
  startedAt,
  endedAt: undefined,
});

/** When events were last loaded; undefined where none were. */
export function lastLoad(report: IngestReport | undefined): Date | undefined {
  const [last] = report?.last ?? [];
  return last === undefined ? undefined : new Date(last.at);
}

/**
 * Up to when the warehouse has what came: now where nothing waits, unless the pipeline itself says by `expect_every` how often events
 * are expected; else since the last load.
 */
export function caughtUpAt({ report }: Pick<IngestStanding, 'report'>): Date | undefined {
  const waits = report === undefined || report.status !== 'idle' || report.failure !== undefined || report.expectsEvents === true;
  return waits ? lastLoad(report) : new Date();
}
