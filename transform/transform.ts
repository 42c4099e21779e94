import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Column } from '../schema/column.ts';
import { MillraceError } from '../schema/errors.ts';
import type { OnFailure, Step } from '../schema/step.ts';
import { Chain, type Where } from './chain.ts';
import { Engine } from './engine.ts';
import { emptySource, openInputs, sourceOf, type OpenInputs, type TransformInput } from './inputs.ts';
import { BrokenRows } from './rejections.ts';
import { castForeign } from './steps.ts';
import type { OutputFile } from './output.ts';
import { Run, type RunCounts } from './run.ts';

export type { TransformInput } from './inputs.ts';

export interface TransformRequest {
  readonly pipeline: string;
  readonly stream: string;
  /** Several only when `needsWholeStream(steps)`. */
  readonly inputs: readonly TransformInput[];
  /** What the inputs hold; a file from outside may have fewer or others, which are matched by name. */
  readonly columns: readonly Column[];
  /** Those that the source didn't take over. */
  readonly steps: readonly Step[];
  /** As `describe` gave them. */
  readonly output: readonly Column[];
  /** A NULL in one of these is a rejection, rule `not_null`. */
  readonly key: readonly string[];
  readonly onFailure: OnFailure;
  /** Columns whose values are masked in rejections. */
  readonly protect: readonly string[];
  /** Where rows of one key stand in a file from outside decides between them: they come out in the order of the file. */
  readonly ordered: boolean;
  readonly outputPath: string;
  /** At most so many files are written; several, below `outputPath`, only for many rows whose order doesn't matter. */
  readonly files: number;
  readonly rejectionsPath: string;
  /** In DuckDB's spelling: `512MB`. */
  readonly memoryLimit: string;
  readonly threads: number;
  /** A path of the caller's own; made, and removed at the end. */
  readonly tempFolder: string;
  readonly signal: AbortSignal;
  beat(progress?: unknown): void;
}

/** `read = rows + rejected + filtered + duplicates`, always; `rows` are those in the output. */
export interface TransformCounts {
  readonly rows: number;
  readonly read: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly duplicates: number;
}

export interface TransformResult extends TransformCounts {
  /** Where the rows are. */
  readonly files: readonly OutputFile[];
}

/** True when a step must see all rows of the stream at once. */
export function needsWholeStream(steps: readonly Step[]): boolean {
  return steps.some(
    (step) => 'dedupe' in step || 'sql' in step || ('expect' in step && Object.values(step.expect).some((rule) => rule.unique === true)),
  );
}

/** True when at most one row of each key is left, so that the order of rows doesn't matter. */
export function leavesOneOfEachKey(steps: readonly Step[], key: readonly string[]): boolean {
  const last = steps.findLast((step) => !('expect' in step || 'filter' in step));
  return last !== undefined && 'dedupe' in last && last.dedupe.key.every((name) => key.includes(name));
}

function refuseBroken(request: TransformRequest, broken: BrokenRows): void {
  if (request.onFailure !== 'fail' || broken.first === undefined) return;
  const { label, line, reason } = broken.first;
  throw new MillraceError(
    'rejected',
    `pipeline ${request.pipeline}, stream ${request.stream}: ${label}, line ${line}: ${reason} (on_failure: fail); correct the file, or set on_failure: reject`,
  );
}

async function runSteps(request: TransformRequest, opened: OpenInputs, failedPath: string): Promise<RunCounts> {
  await using engine = await Engine.open({
    ...request,
    beat: (progress) => request.beat(progress),
    paths: [...opened.inputs.flatMap((input) => input.paths), opened.linesPath, request.outputPath, failedPath],
    folders: request.files > 1 ? [request.outputPath] : [],
  });
  const where = { pipeline: request.pipeline, stream: request.stream };
  const chain = new Chain(engine, where, request.onFailure, sourceOf(opened, request.inputs, request.columns));
  chain.ordered = request.ordered && opened.foreign;
  const run = new Run(chain, request, opened);
  await run.start();
  if (opened.foreign) castForeign(run.chain, request.columns, opened.parquet);
  for (const [index, step] of request.steps.entries()) await run.step(step, index);
  return await run.finish(failedPath);
}

/**
 * Runs the steps over the inputs and writes the rows that pass as the one CSV to `outputPath`, or to files below it, and those that don't as a CSV of
 * `rejectionColumns` to `rejectionsPath` (empty when there are none). Runs again with the same result. Throws `config` for a mistake
 * in a step, `rejected` for a row that failed under `on_failure: fail`, `staging-lost` for a damaged input.
 */
export async function transform(request: TransformRequest): Promise<TransformResult> {
  await mkdir(request.tempFolder, { recursive: true });
  try {
    const broken = new BrokenRows(request.rejectionsPath, request.protect.length > 0);
    await broken.create();
    const opened = await openInputs(request.inputs, {
      columns: request.columns,
      folder: request.tempFolder,
      broken,
      signal: request.signal,
      beat: (progress) => request.beat(progress),
    });
    refuseBroken(request, broken);
    const failedPath = join(request.tempFolder, 'failed.csv');
    const counts = await runSteps(request, opened, failedPath);
    if (counts.rejected > 0) await pipeline(createReadStream(failedPath), createWriteStream(request.rejectionsPath, { flags: 'a' }));
    return { ...counts, read: counts.read + broken.count, rejected: counts.rejected + broken.count };
  } finally {
    await rm(request.tempFolder, { recursive: true, force: true });
  }
}

/** Columns and types after the steps, by DuckDB's own binder over no rows. Throws `config` naming the step and the column. */
export async function describe(columns: readonly Column[], steps: readonly Step[], where: Where): Promise<readonly Column[]> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-describe-'));
  try {
    await using engine = await Engine.open({
      memoryLimit: '256MB',
      threads: 1,
      tempFolder: folder,
      paths: [],
      folders: [],
      signal: new AbortController().signal,
      beat: () => undefined,
    });
    const run = new Run(new Chain(engine, where, 'reject', emptySource(columns)), { key: [], protect: [] }, undefined);
    for (const [index, step] of steps.entries()) await run.step(step, index);
    return run.chain.fields.map(({ name, type }) => ({ name, type }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
