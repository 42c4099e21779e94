import type { Client } from '@temporalio/client';
import type { PipelineDefinition } from '../schema/definition.ts';
import type { IngestPending, IngestWake } from '../schema/ingest.ts';
import { taskQueueOf } from './names.ts';

/** A pipeline that loads events, and the hash of its definition. */
export interface IngestPipeline {
  readonly definition: PipelineDefinition;
  readonly hash: string;
}

/** Beyond this the server is taken to be away; the gateway asks again. */
const longestWait = 10_000;

/**
 * The workflow that loads the events of a connection for a pipeline: the id of any load of that stream, so that no run of the pipeline
 * is at it at the same time.
 */
export const ingestWorkflowId = ({ project, name, from }: Pick<PipelineDefinition, 'project' | 'name' | 'from'>): string =>
  `${project}/${name}/${from.name}`;

/** Gives a signal to what loads the events of a pipeline, and starts it where it isn't there. */
async function signalIngest(
  client: Client,
  { definition, hash }: IngestPipeline,
  signal: 'wake' | 'pause' | 'resume' | 'retry',
  signalArgs: readonly unknown[],
): Promise<string> {
  const { project, name, from, to, schema } = definition;
  return await client.withDeadline(Date.now() + longestWait, async () => {
    const { signaledRunId } = await client.workflow.signalWithStart('ingest', {
      workflowId: ingestWorkflowId(definition),
      taskQueue: taskQueueOf(project),
      args: [{ pipeline: definition, hash }],
      signal,
      signalArgs: [...signalArgs],
      memo: { project, name, kind: 'ingest', definitionHash: hash },
      staticSummary: `**${name}**: events of ${from.name} → ${to.name}.${schema}`.slice(0, 200),
    });
    return signaledRunId;
  });
}

/** Has the events loaded that wait, by this definition, at once even after a failure; the report says `loading` until it is done. */
export async function wakeIngest(
  client: Client,
  pipeline: IngestPipeline,
): Promise<{ readonly workflowId: string; readonly runId: string }> {
  const { definition, hash } = pipeline;
  const wake: IngestWake = { hash, pipeline: definition, now: true };
  return { workflowId: ingestWorkflowId(definition), runId: await signalIngest(client, pipeline, 'wake', [wake]) };
}

/** Holds the loads of a pipeline's events until `resumeIngest`; events are taken all the same, and wait. */
export async function pauseIngest(client: Client, pipeline: IngestPipeline, note: string): Promise<void> {
  await signalIngest(client, pipeline, 'pause', [note]);
}

/** Lets loads begin again. */
export async function resumeIngest(client: Client, pipeline: IngestPipeline): Promise<void> {
  await signalIngest(client, pipeline, 'resume', []);
}

/** Has the open rejections of a pipeline's events taken up, by this definition; `IngestReport.retried` tells by this id what became of them. */
export async function retryIngest(
  client: Client,
  pipeline: IngestPipeline,
  id: string,
): Promise<{ readonly workflowId: string; readonly runId: string }> {
  const { definition, hash } = pipeline;
  const by: IngestWake = { hash, pipeline: definition };
  return { workflowId: ingestWorkflowId(definition), runId: await signalIngest(client, pipeline, 'retry', [id, by]) };
}

/**
 * Wakes what loads the events of a connection, or starts it. The definition goes with the first signal that arrives, so that one that
 * runs takes up a change. Throws what Temporal throws.
 */
export function ingestWaker(
  client: Client,
  pipelines: readonly IngestPipeline[],
): (connection: string, pending?: IngestPending) => Promise<void> {
  const told = new Set<IngestPipeline>();
  return async (connection, pending) => {
    await Promise.all(
      pipelines
        .filter(({ definition }) => definition.from.name === connection)
        .map(async (pipeline) => {
          const { definition, hash } = pipeline;
          const first = told.has(pipeline) ? {} : { pipeline: definition };
          const wake: IngestWake = { hash, ...first, ...(pending === undefined ? {} : { pending }) };
          await signalIngest(client, pipeline, 'wake', [wake]);
          told.add(pipeline);
        }),
    );
  };
}
