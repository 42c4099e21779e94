import { createHash } from 'node:crypto';
import { activityInfo } from '@temporalio/activity';
import type { Source, SourcePlan } from '../connectors/connector.ts';
import type { Column } from '../schema/column.ts';
import { MillraceError } from '../schema/errors.ts';
import type { Fingerprint, Load, StreamState } from '../schema/load.ts';
import type { PlanSummary, StreamRun } from '../schema/run.ts';
import type { Stream } from '../schema/stream.ts';
import { describe, needsWholeStream } from '../transform/transform.ts';
import { currentAttempt } from './attempt.ts';
import { checkPipelineDefinition } from './check-definition.ts';
import type { Dependencies } from './dependencies.ts';
import { folderOf, writeJson, type PlanFile } from './plan-file.ts';

/** More would crowd the run's history; larger streams get larger partitions, not more. */
const maxPartitions = 256;

export interface PlanInput {
  readonly run: StreamRun;
  /** Fixed by the workflow before the first attempt. */
  readonly loadId: string;
  readonly workflowId: string;
  readonly runId: string;
}

async function findStream(source: Source, run: StreamRun, attempt: ReturnType<typeof currentAttempt>): Promise<Stream> {
  const [stream] = await source.discover([run.part.stream], attempt);
  if (stream === undefined)
    throw new MillraceError('not-found', `pipeline ${run.pipeline.name}: ${run.pipeline.from.name} has no stream ${run.part.stream}`);
  return stream;
}

function keyOf(run: StreamRun, stream: Stream): readonly string[] {
  const { definition } = run.part;
  const key = definition.key.length > 0 ? definition.key : stream.key;
  if (key.length === 0 && (definition.mode === 'merge' || definition.mode === 'history')) {
    throw new MillraceError(
      'config',
      `pipeline ${run.pipeline.name}, stream ${run.part.stream}: mode ${definition.mode} needs a key; ${stream.name} has no primary key, so name its columns with key`,
    );
  }
  return key;
}

function fingerprintOf(run: StreamRun, key: readonly string[], identity: string): Fingerprint {
  const { definition, target } = run.part;
  return {
    source: identity,
    stream: run.part.stream,
    cursor: definition.cursor ?? null,
    key,
    mode: definition.mode,
    target: `${target.schema}.${target.table}`,
    transform: createHash('sha256').update(JSON.stringify(definition.transform)).digest('hex').slice(0, 16),
  };
}

function checkKey(run: StreamRun, key: readonly string[], columns: readonly Column[]): void {
  const missing = key.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length > 0 && run.part.definition.key.length > 0) {
    throw new MillraceError(
      'config',
      `pipeline ${run.pipeline.name}, stream ${run.part.stream}: the key column ${missing.join(', ')} is not among the columns after the transform (${columns.map((column) => column.name).join(', ')})`,
    );
  }
}

/** Refuses a window where reading it again would double rows or lose the rest. */
function checkWindow(run: StreamRun, key: readonly string[]): void {
  const { mode } = run.part.definition;
  if (run.options.window === undefined) return;
  const place = `pipeline ${run.pipeline.name}, stream ${run.part.stream}`;
  if (mode === 'replace')
    throw new MillraceError(
      'config',
      `${place}: a window (--from, --to) can't be read again in mode replace, which reads everything anyway`,
    );
  if (mode === 'append' && key.length === 0) {
    throw new MillraceError(
      'config',
      `${place}: a window (--from, --to) of mode append needs a key, to leave out the rows that are there already; name its columns with key`,
    );
  }
}

/** A window of an append drops the rows that are there, as a look-back does. */
function readBack({ options, part }: StreamRun): Pick<StreamRun['part']['definition'], 'lookBack'> {
  const lookBack = part.definition.lookBack ?? (options.window === undefined ? undefined : '0');
  return lookBack === undefined ? {} : { lookBack };
}

interface Sources {
  readonly stream: Stream;
  readonly state: StreamState;
  readonly source: SourcePlan;
}

async function planSource(deps: Dependencies, input: PlanInput): Promise<Sources> {
  const { run, loadId } = input;
  const { pipeline, part, options } = run;
  const attempt = currentAttempt(loadId, 'plan');
  await using warehouse = await deps.openWarehouse(pipeline.to);
  await using source = await deps.openSource(pipeline.from);
  const [state, stream] = await Promise.all([
    warehouse.state({ project: pipeline.project, pipeline: pipeline.name, stream: part.stream, target: part.target }, attempt),
    findStream(source, run, attempt),
  ]);
  const fresh = options.fullRefresh || part.definition.mode === 'replace';
  const planned = await source.plan(
    {
      definition: part.definition,
      stream,
      cursor: fresh ? undefined : (state.cursor ?? undefined),
      window: options.window,
      steps: part.definition.transform,
      formats: part.definition.transform.length === 0 ? warehouse.formats : ['csv', 'foreign', ...warehouse.formats],
      partitionBytes: pipeline.partitionBytes,
      maxPartitions,
    },
    attempt,
  );
  return { stream, state, source: planned };
}

/** Fixes what a run reads and what its load delivers, and keeps it in staging under a name of its attempt, so that one that was given up can't change it. */
export const createPlan = (deps: Dependencies) =>
  async function plan(input: PlanInput): Promise<PlanSummary> {
    const { run, loadId } = input;
    const { pipeline, part, options } = run;
    checkPipelineDefinition(pipeline);
    const { stream, state, source } = await planSource(deps, input);
    const key = keyOf(run, stream);
    const steps = part.definition.transform.slice(source.stepsTaken);
    const transforms = steps.length > 0 || source.format === 'foreign';
    const columns = transforms ? await describe(source.columns, steps, { pipeline: pipeline.name, stream: part.stream }) : source.columns;
    checkKey(run, key, columns);
    checkWindow(run, key);
    const keyed = key.every((name) => columns.some((column) => column.name === name)) ? key : [];
    const load: Load = {
      id: loadId,
      project: pipeline.project,
      pipeline: pipeline.name,
      stream: part.stream,
      target: part.target,
      definition: { ...part.definition, key: [...keyed], ...readBack(run) },
      columns,
      expectedVersion: state.version,
      generation: options.fullRefresh ? state.generation + 1 : state.generation,
      cursor: options.window === undefined ? source.nextCursor : null,
      complete: source.complete && options.window === undefined,
      fingerprint: fingerprintOf(run, keyed, source.identity),
      workflowId: input.workflowId,
      runId: input.runId,
    };
    const { streams: _, ...rest } = pipeline;
    const file: PlanFile = { pipeline: rest, stream, source, load, steps, input: source.columns };
    const signal = currentAttempt(loadId, 'plan').signal;
    return {
      loadId,
      plan: await writeJson(deps.staging, `${folderOf(load)}/plan-${activityInfo().attempt}.json`, file, signal),
      partitions: source.partitions.length,
      transforms,
      wholeStream: transforms && needsWholeStream(steps),
      estimatedRows: source.estimatedRows ?? stream.estimatedRows ?? -1,
      notes: [...stream.notes, ...source.notes],
    };
  };
