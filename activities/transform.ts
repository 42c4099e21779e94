import { rm } from 'node:fs/promises';
import { activityInfo } from '@temporalio/activity';
import type { Attempt } from '../connectors/connector.ts';
import type { StagedFile, StagedFormat } from '../schema/load.ts';
import type { PartitionResult, StagedPart } from '../schema/run.ts';
import { leavesOneOfEachKey, needsWholeStream, transform as runTransform, type TransformInput } from '../transform/transform.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { folderOf, fromPart, partitionOf, readPlan, toPart, type PlanFile } from './plan-file.ts';

export interface TransformStepInput {
  readonly plan: StagedFile;
  /** Number of the result: the partition's, or 0 for a whole stream. */
  readonly no: number;
  readonly parts: readonly { readonly no: number; readonly file: StagedPart }[];
}

const csv: StagedFormat = { kind: 'csv' };

async function inputOf(
  deps: Dependencies,
  plan: PlanFile,
  ref: StagedFile,
  part: TransformStepInput['parts'][number],
): Promise<TransformInput & AsyncDisposable> {
  const { format = csv, label } = partitionOf(plan, part.no);
  const local = await deps.staging.local(fromPart(ref, part.file, format));
  return { path: local.path, format, partition: part.no, label, [Symbol.asyncDispose]: () => local[Symbol.asyncDispose]() };
}

/** The files that one transform reads, on this host until it has ended. */
async function inputsOf(deps: Dependencies, plan: PlanFile, { plan: ref, parts }: TransformStepInput) {
  const opened = await Promise.allSettled(parts.map((part) => inputOf(deps, plan, ref, part)));
  const files = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const dispose = async (): Promise<void> => void (await Promise.all(files.map((file) => file[Symbol.asyncDispose]())));
  const failed = opened.find((one) => one.status === 'rejected');
  if (failed === undefined) return { files, [Symbol.asyncDispose]: dispose };
  await dispose();
  throw failed.reason;
}

/** Reads a file to its end, so that its checksum is verified: `staging-lost` when it isn't what was extracted. */
async function verify(deps: Dependencies, file: StagedFile, attempt: Attempt): Promise<void> {
  for await (const _ of deps.staging.read(file)) {
    attempt.signal.throwIfAborted();
    attempt.beat();
  }
}

/** Scratch paths for one transform; what is left at them goes in the end. */
async function scratchPaths(deps: Dependencies) {
  const [output, rejections, temp] = await Promise.all([deps.staging.scratch(), deps.staging.scratch(), deps.staging.scratch()]);
  return {
    output,
    rejections,
    temp,
    async [Symbol.asyncDispose]() {
      await Promise.all([output, rejections, temp].map((path) => rm(path, { recursive: true, force: true })));
    },
  };
}

/** Columns without which a row is refused. */
function requiredKey({ definition, reconciles }: PlanFile['load']): readonly string[] {
  const keyed = definition.mode === 'merge' || definition.mode === 'history';
  return keyed && reconciles !== true ? definition.key : [];
}

/** Turns extracted files into one that the warehouse can load, and one of rejections. */
export const createTransform = (deps: Dependencies) =>
  async function transform(input: TransformStepInput): Promise<PartitionResult> {
    const plan = await readPlan(deps.staging, input.plan);
    const { load, pipeline } = plan;
    const attempt = currentAttempt(load.id, 'transform', input.no);
    await using inputs = await inputsOf(deps, plan, input);
    await using scratch = await scratchPaths(deps);
    const [result] = await Promise.all([
      runTransform({
        pipeline: pipeline.name,
        stream: load.stream,
        inputs: inputs.files,
        columns: plan.input,
        steps: plan.steps,
        output: load.columns,
        key: requiredKey(load),
        onFailure: load.definition.onFailure,
        protect: load.definition.protect,
        ordered: load.definition.key.length > 0 && !leavesOneOfEachKey(plan.steps, load.definition.key),
        outputPath: scratch.output,
        files: needsWholeStream(plan.steps) ? pipeline.parallelPartitions : 1,
        rejectionsPath: scratch.rejections,
        memoryLimit: deps.transformMemory,
        threads: deps.transformThreads,
        tempFolder: scratch.temp,
        signal: attempt.signal,
        beat: (progress) => attempt.beat(progress),
      }),
      ...input.parts.map(({ file }) => verify(deps, fromPart(input.plan, file, csv), attempt)),
    ]);
    const name = `${folderOf(load)}/transform-${input.no}-${activityInfo().attempt}`;
    const adopt = async (path: string, as: string, rows: number): Promise<StagedPart> =>
      toPart(await deps.staging.adopt(path, as, csv, rows, () => attempt.beat()));
    const [file, ...others] = await Promise.all(
      result.files.map(({ path, rows }, at) => adopt(path, `${name}${at === 0 ? '' : `.${at}`}.csv`, rows)),
    );
    if (file === undefined) throw new Error('a transform writes one file at least');
    const written = others.length === 0 ? { file } : { file, more: others };
    const { read, rejected, filtered, duplicates } = result;
    if (rejected === 0) return { no: input.no, ...written, read, rejected, filtered, duplicates };
    const rejections = await adopt(scratch.rejections, `${name}.rejections.csv`, rejected);
    return { no: input.no, ...written, rejections, read, rejected, filtered, duplicates };
  };
