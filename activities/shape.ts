import type { Attempt, Source, SourcePlan } from '../connectors/connector.ts';
import type { Column } from '../schema/column.ts';
import type { PipelineDefinition } from '../schema/definition.ts';
import { MillraceError } from '../schema/errors.ts';
import type { StagedFormat } from '../schema/load.ts';
import type { StreamPart } from '../schema/run.ts';
import type { Step } from '../schema/step.ts';
import type { Stream } from '../schema/stream.ts';
import { describe } from '../transform/transform.ts';

/** What a stream would deliver from a complete read, and how it would be read. */
export interface Shape {
  readonly stream: Stream;
  readonly source: SourcePlan;
  /** The steps that the source's query takes over. */
  readonly taken: readonly Step[];
  /** The steps that are left to the transform. */
  readonly steps: readonly Step[];
  /** What is delivered. */
  readonly columns: readonly Column[];
}

export interface ShapeRequest {
  readonly pipeline: PipelineDefinition;
  readonly part: StreamPart;
  /** Formats that the reader of it takes, in order of preference. */
  readonly formats: readonly StagedFormat['kind'][];
}

/** Plans a complete read without a warehouse and derives the columns. Throws `not-found` and `config`, with the step and column named. */
export async function shapeOf(source: Source, { pipeline, part, formats }: ShapeRequest, attempt: Attempt): Promise<Shape> {
  const [stream] = await source.discover([part.stream], attempt);
  if (stream === undefined) {
    throw new MillraceError('not-found', `pipeline ${pipeline.name}: ${pipeline.from.name} has no stream ${part.stream}`);
  }
  const { transform } = part.definition;
  const plan = await source.plan(
    {
      definition: part.definition,
      stream,
      cursor: undefined,
      window: undefined,
      steps: transform,
      formats,
      partitionBytes: pipeline.partitionBytes,
      maxPartitions: 256,
    },
    attempt,
  );
  const taken = transform.slice(0, plan.stepsTaken);
  const steps = transform.slice(plan.stepsTaken);
  const columns = steps.length === 0 ? plan.columns : await describe(plan.columns, steps, { pipeline: pipeline.name, stream: part.stream });
  return { stream, source: plan, taken, steps, columns };
}
