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

async function wake(client: Client, { definition, hash }: IngestPipeline, signal: IngestWake): Promise<void> {
  const { project, name, from, to, schema } = definition;
  await client.withDeadline(Date.now() + longestWait, async () => {
    await client.workflow.signalWithStart('ingest', {
      workflowId: ingestWorkflowId(definition),
      taskQueue: taskQueueOf(project),
      args: [{ pipeline: definition, hash }],
      signal: 'wake',
      signalArgs: [signal],
      memo: { project, name, kind: 'ingest', definitionHash: hash },
      staticSummary: `**${name}**: events of ${from.name} → ${to.name}.${schema}`.slice(0, 200),
    });
  });
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
          await wake(client, pipeline, { hash, ...first, ...(pending === undefined ? {} : { pending }) });
          told.add(pipeline);
        }),
    );
  };
}
