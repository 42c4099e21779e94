import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dependencies } from '../activities/dependencies.ts';
import { expandPipeline } from '../activities/expand.ts';
import { shapeOf } from '../activities/shape.ts';
import type { Attempt } from '../connectors/connector.ts';
import type { Column } from '../schema/column.ts';
import type { PipelineDefinition } from '../schema/definition.ts';
import { rejectionColumns } from '../schema/load.ts';
import type { StreamPart } from '../schema/run.ts';
import { transform, type TransformCounts } from '../transform/transform.ts';
import { sampleOf } from './sample.ts';
import { stagedRows } from './staged-rows.ts';

export { expandPipeline };

const sampleBytes = 4 * 1024 * 1024;

export interface PreviewRequest {
  readonly pipeline: PipelineDefinition;
  readonly part: StreamPart;
  /** Rows to give, of those that pass and of those that don't. */
  readonly rows: number;
  /** A folder of the caller's own. */
  readonly folder: string;
}

/** What a stream's steps make of a sample of its first partition, with values. */
export interface Preview {
  readonly stream: string;
  readonly target: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** By the names of `rejectionColumns`. */
  readonly rejections: readonly Readonly<Record<string, string | null>>[];
  readonly counts: TransformCounts;
  /** False when the sample isn't the whole stream. */
  readonly complete: boolean;
  readonly notes: readonly string[];
}

const nothing: TransformCounts = { rows: 0, read: 0, rejected: 0, filtered: 0, duplicates: 0 };

async function firstRows(path: string, limit: number): Promise<readonly (readonly (string | null)[])[]> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere ? stagedRows(await readFile(path, 'utf8'), limit) : [];
}

const named = (row: readonly (string | null)[]): Readonly<Record<string, string | null>> =>
  Object.fromEntries(rejectionColumns.map((name, index) => [name, row[index] ?? null]));

/** Reads a sample of a stream's first partition and runs its steps over it; nothing is written but files in `folder`. */
export async function preview(deps: Dependencies, request: PreviewRequest, attempt: Attempt): Promise<Preview> {
  const { pipeline, part, folder } = request;
  await using source = await deps.openSource(pipeline.from);
  const shape = await shapeOf(source, { pipeline, part, formats: ['csv', 'foreign'] }, attempt);
  const { partitions, ...plan } = shape.source;
  const target = `${part.target.schema}.${part.target.table}`;
  const about = { stream: part.stream, target, columns: shape.columns, notes: [...shape.stream.notes, ...plan.notes] };
  const [partition] = partitions;
  if (partition === undefined) return { ...about, rows: [], rejections: [], counts: nothing, complete: true };
  const read = await source.read({ definition: part.definition, stream: shape.stream, plan, steps: shape.taken, partition }, attempt);
  const sample = await sampleOf(read, sampleBytes);
  const path = (name: string): string => join(folder, `preview-${name}`);
  await writeFile(path('input'), sample.bytes);
  const { files: _, ...counts } = await transform({
    pipeline: pipeline.name,
    stream: part.stream,
    inputs: [{ path: path('input'), format: read.format, partition: partition.no, label: partition.label }],
    columns: plan.columns,
    steps: shape.steps,
    output: shape.columns,
    key: part.definition.mode === 'merge' || part.definition.mode === 'history' ? part.definition.key : [],
    onFailure: part.definition.onFailure,
    protect: part.definition.protect,
    ordered: false,
    files: 1,
    outputPath: path('output'),
    rejectionsPath: path('rejections'),
    memoryLimit: deps.transformMemory,
    threads: deps.transformThreads,
    tempFolder: path('temporary'),
    signal: attempt.signal,
    beat: (progress) => attempt.beat(progress),
  });
  return {
    ...about,
    counts,
    complete: sample.complete && partitions.length === 1,
    rows: await firstRows(path('output'), request.rows),
    rejections: (await firstRows(path('rejections'), request.rows)).map(named),
  };
}
