import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { Prepared } from '../schema/load.ts';
import type { GoingLoad, PartitionResult, StagedPart, StreamRun } from '../schema/run.ts';
import { limit } from './limit.ts';
import { grouped } from './page.ts';
import { dataSteps } from './steps.ts';
import type { Track } from './track.ts';

/** Runs all works; the first failure cancels the others and is thrown when they have ended. */
async function allOrNone(works: readonly (() => Promise<void>)[]): Promise<void> {
  const scope = new CancellationScope({ cancellable: true });
  const running = await scope.run(async () => works.map((work) => work()));
  try {
    await Promise.all(running);
  } catch (error) {
    scope.cancel();
    await Promise.allSettled(running);
    throw error;
  }
}

/** A load under way as its steps in the warehouse know it. */
export const preparedOf = (going: GoingLoad): Prepared => ({ epoch: going.epoch, table: going.table, notes: [] });

/** The lanes of one load: extract, transform and load, each with its own limit, so that they overlap. */
function lanesOf(run: StreamRun, going: GoingLoad) {
  const { pipeline } = run;
  const steps = dataSteps(pipeline.heartbeatTimeout);
  const { plan } = going;
  const extracting = limit(pipeline.parallelPartitions);
  const transforming = limit(pipeline.parallelPartitions);
  const loading = limit(pipeline.parallelPartitions);
  const of = (no: number, all = plan.partitions): string => `${run.part.stream} ${no + 1}/${all}`;
  return {
    /** Undefined when the history has got long before the partition's turn came. */
    extract: (no: number): Promise<StagedPart | undefined> =>
      extracting(async () =>
        !plan.wholeStream && workflowInfo().continueAsNewSuggested
          ? undefined
          : await steps.extract.executeWithOptions({ summary: `extract ${of(no)}` }, [{ plan: plan.plan, no }]),
      ),
    transform: (no: number, parts: readonly { no: number; file: StagedPart }[]): Promise<PartitionResult> =>
      transforming(() => steps.transform.executeWithOptions({ summary: `transform ${of(no)}` }, [{ plan: plan.plan, no, parts }])),
    load: (part: PartitionResult, all: number): Promise<unknown> =>
      loading(() =>
        steps.load.executeWithOptions({ summary: `load ${of(part.no, all)}: ${grouped(part.file.rows)} rows` }, [
          { plan: plan.plan, transforms: plan.transforms, prepared: preparedOf(going), no: part.no, file: part.file },
        ]),
      ),
  };
}

const asExtracted = (no: number, file: StagedPart): PartitionResult => ({
  no,
  file,
  read: file.rows,
  rejected: 0,
  filtered: 0,
  duplicates: 0,
});

/** The files of a whole stream as parts; the first one keeps the books of what isn't in the others. */
function partsOf({ more = [], ...first }: PartitionResult): readonly PartitionResult[] {
  const others = more.map((file, at) => asExtracted(first.no + at + 1, file));
  return [{ ...first, read: others.reduce((read, { file }) => read - file.rows, first.read) }, ...others];
}

function totals(loaded: readonly PartitionResult[]) {
  const sum = (count: (part: PartitionResult) => number): number => loaded.reduce((total, part) => total + count(part), 0);
  return {
    read: sum((part) => part.read),
    loaded: sum((part) => part.file.rows),
    rejected: sum((part) => part.rejected),
    filtered: sum((part) => part.filtered),
    duplicates: sum((part) => part.duplicates),
    bytes: sum((part) => part.file.bytes),
  };
}

/**
 * Moves the partitions of a load, overlapping, into the load's table; `loaded` takes them as they are there.
 * @returns false when the history got long: the run goes on as a new one with what is loaded
 */
export async function move(run: StreamRun, going: GoingLoad, loaded: PartitionResult[], track: Track): Promise<boolean> {
  const lanes = lanesOf(run, going);
  const { partitions, transforms, wholeStream } = going.plan;
  const report = (step: string): void => track.update({ step, ...totals(loaded) });
  const finish = async (part: PartitionResult, of = partitions): Promise<void> => {
    await lanes.load(part, of);
    loaded.push(part);
    report(`load ${loaded.length}/${of}`);
  };
  if (loaded.length > 0) report('extract');
  const todo = Array.from({ length: partitions }, (_, no) => no).filter((no) => !loaded.some((part) => part.no === no));
  if (wholeStream) {
    if (loaded.length > 0) return true;
    const parts: { no: number; file: StagedPart }[] = [];
    await allOrNone(
      todo.map((no) => async () => {
        const file = await lanes.extract(no);
        if (file !== undefined) parts.push({ no, file });
      }),
    );
    report('transform');
    const ordered = parts.toSorted((a, b) => a.no - b.no);
    const transformed = partsOf(await lanes.transform(0, ordered));
    await allOrNone(transformed.map((part) => () => finish(part, transformed.length)));
    loaded.sort((a, b) => a.no - b.no);
    return true;
  }
  let complete = true;
  await allOrNone(
    todo.map((no) => async () => {
      const file = await lanes.extract(no);
      if (file === undefined) complete = false;
      else await finish(transforms ? await lanes.transform(no, [{ no, file }]) : asExtracted(no, file));
    }),
  );
  loaded.sort((a, b) => a.no - b.no);
  return complete;
}

/** Loads staged files again, after the warehouse lost a table; files that it still has are left alone. */
export async function loadAgain(run: StreamRun, going: GoingLoad, loaded: readonly PartitionResult[]): Promise<void> {
  const lanes = lanesOf(run, going);
  await allOrNone(loaded.map((part) => async () => void (await lanes.load(part, loaded.length))));
}
