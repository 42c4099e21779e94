import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo } from '@temporalio/activity';
import type { Attempt, Source } from '../connectors/connector.ts';
import { MillraceError } from '../schema/errors.ts';
import type { PlanSummary, StreamRun } from '../schema/run.ts';
import type { Stream } from '../schema/stream.ts';
import { needsWholeStream } from '../transform/transform.ts';
import { currentAttempt } from './attempt.ts';
import { checkPipelineDefinition } from './check-definition.ts';
import type { Dependencies } from './dependencies.ts';
import { folderOf, writeJson, type PlanFile } from './plan-file.ts';
import { planKeys } from './plan-keys.ts';
import { planRetry } from './plan-retry.ts';
import { planRows } from './plan-rows.ts';
import type { Planned, PlanInput, Planning } from './planning.ts';

async function findStream(source: Source, run: StreamRun, attempt: ReturnType<typeof currentAttempt>): Promise<Stream> {
  const [stream] = await source.discover([run.part.stream], attempt);
  if (stream === undefined)
    throw new MillraceError('not-found', `pipeline ${run.pipeline.name}: ${run.pipeline.from.name} has no stream ${run.part.stream}`);
  return stream;
}

/** The most that is waited, whatever the clocks of hosts say. */
const longestWait = 1000;

/** Waits until a load may begin; gives the moment it does. */
async function begin({ notBefore }: StreamRun, attempt: Attempt): Promise<{ readonly startedAt?: number }> {
  if (notBefore === undefined) return {};
  const wait = Math.min(notBefore - Date.now(), longestWait);
  // A timer may end a little early.
  if (wait > 0) await sleep(Math.ceil(wait) + 1, undefined, { signal: attempt.signal });
  attempt.beat();
  return { startedAt: Date.now() };
}

function planBy({ reconciles, run }: PlanInput): (planning: Planning) => Promise<Planned> {
  if (reconciles) return planKeys;
  return run.options.retry === undefined ? planRows : planRetry;
}

/** Fixes what a run reads and what its load delivers, and keeps it in staging under a name of its attempt, so that one that was given up can't change it. */
export const createPlan = (deps: Dependencies) =>
  async function plan(input: PlanInput): Promise<PlanSummary> {
    const { pipeline, part } = input.run;
    checkPipelineDefinition(pipeline);
    const attempt = currentAttempt(input.loadId, 'plan');
    const began = await begin(input.run, attempt);
    await using warehouse = await deps.openWarehouse(pipeline.to);
    await using source = await deps.openSource(pipeline.from, pipeline.project);
    const [state, stream] = await Promise.all([
      warehouse.state({ project: pipeline.project, pipeline: pipeline.name, stream: part.stream, target: part.target }, attempt),
      findStream(source, input.run, attempt),
    ]);
    const planned = await planBy(input)({ input, warehouse, source, stream, state, attempt });
    const { load, steps, transforms, notes, idle } = planned;
    const { streams: _, ...rest } = pipeline;
    const file: PlanFile = { pipeline: rest, stream, source: planned.source, load, steps, input: planned.input };
    return {
      loadId: input.loadId,
      plan: await writeJson(deps.staging, `${folderOf(load)}/plan-${activityInfo().attempt}.json`, file, attempt.signal),
      partitions: planned.source.partitions.length,
      transforms,
      wholeStream: transforms && needsWholeStream(steps),
      estimatedRows: planned.source.estimatedRows ?? stream.estimatedRows ?? -1,
      notes,
      ...began,
      ...(idle === undefined ? {} : { idle }),
    };
  };
