import type { Attempt, Source, SourcePlan, Warehouse } from '../connectors/connector.ts';
import type { Column } from '../schema/column.ts';
import type { Load, StreamState } from '../schema/load.ts';
import type { StreamRun } from '../schema/run.ts';
import type { Step } from '../schema/step.ts';
import type { Stream } from '../schema/stream.ts';
import { describe } from '../transform/transform.ts';
import { fingerprintOf } from './plan-rules.ts';

/** More would crowd the run's history; larger streams get larger partitions, not more. */
export const maxPartitions = 256;

export interface PlanInput {
  readonly run: StreamRun;
  /** Fixed by the workflow before the first attempt. */
  readonly loadId: string;
  readonly workflowId: string;
  readonly runId: string;
  /** Plans a read of the keys, to find what was deleted in the source. */
  readonly reconciles?: true;
}

/** A plan at work: what it is for, and both ends open. */
export interface Planning {
  readonly input: PlanInput;
  readonly warehouse: Warehouse;
  readonly source: Source;
  readonly stream: Stream;
  readonly state: StreamState;
  readonly attempt: Attempt;
}

/** What a run is to read, and the load that delivers it. */
export interface Planned {
  readonly source: SourcePlan;
  readonly load: Load;
  /** The steps that are left to the transform. */
  readonly steps: readonly Step[];
  /** What extracted files hold. */
  readonly input: readonly Column[];
  readonly transforms: boolean;
  readonly notes: readonly string[];
  readonly idle?: true;
}

/** A load of this plan, with all that doesn't hang on how it is read. */
export function loadOf(
  { input, state }: Planning,
  identity: string,
  rest: Pick<Load, 'definition' | 'columns' | 'cursor' | 'complete'> & Pick<Partial<Load>, 'reconciles' | 'retries' | 'repeats'>,
): Load {
  const { run, loadId, workflowId, runId } = input;
  return {
    id: loadId,
    project: run.pipeline.project,
    pipeline: run.pipeline.name,
    stream: run.part.stream,
    target: run.part.target,
    expectedVersion: state.version,
    generation: run.options.fullRefresh && !rest.reconciles ? state.generation + 1 : state.generation,
    fingerprint: fingerprintOf(run, rest.definition.key, identity),
    workflowId,
    runId,
    ...rest,
  };
}

/** The columns that a plan's bytes have after the steps that are left to the transform. */
export async function columnsAfter({ input }: Planning, source: SourcePlan, steps: readonly Step[]): Promise<readonly Column[]> {
  const { pipeline, part } = input.run;
  const transforms = steps.length > 0 || source.format === 'foreign';
  return transforms ? await describe(source.columns, steps, { pipeline: pipeline.name, stream: part.stream }) : source.columns;
}
