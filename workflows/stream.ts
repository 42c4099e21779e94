import { continueAsNew, ContinueAsNew } from '@temporalio/workflow';
import type { StreamReport, StreamRun } from '../schema/run.ts';
import { failureOf, failWith } from './failure.ts';
import { deliverAtLast } from './load.ts';
import { measureStream } from './measure.ts';
import { trackStream, type Track } from './track.ts';

const goOn = (run: StreamRun): Promise<never> => continueAsNew<typeof stream>(run);

/** Loads the rows of a stream; gives true when its keys are to be read after them. */
async function loadRows(run: StreamRun, track: Track): Promise<boolean> {
  const { version: _, reconcile, ...counts } = await deliverAtLast(run, track, {}, goOn);
  track.update(counts);
  return reconcile === true && run.options.window === undefined;
}

/** Reads the keys of a stream, and takes out of the target what isn't among them. */
async function reconcile(run: StreamRun, track: Track): Promise<void> {
  const rows = track.report();
  const keyTrack: Track = {
    report: track.report,
    update: ({ step }) => (step === undefined ? undefined : track.update({ step: `reconcile: ${step}` })),
  };
  const { deleted, notes } = await deliverAtLast({ ...run, committed: rows }, keyTrack, { reconciles: true }, goOn);
  track.update({ deleted: rows.deleted + deleted, notes: [...rows.notes, ...notes] });
}

async function loadAll(run: StreamRun, track: Track): Promise<void> {
  if (run.committed !== undefined) return await reconcile(run, track);
  if (!(await loadRows(run, track))) return;
  const { going: _, ...rest } = run;
  await reconcile(rest, track);
}

/** One stream in one run: plan, prepare, extract, transform, load and commit. Fails with its report in the details. */
export async function stream(run: StreamRun): Promise<StreamReport> {
  const track = trackStream(run);
  try {
    await loadAll(run, track);
    track.update({ status: 'loaded', step: '' });
    measureStream(run.pipeline.name, track.report());
    return track.report();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    const failure = failureOf(error);
    if (failure.code === 'cancelled') throw error;
    track.update({ status: 'failed', failure });
    measureStream(run.pipeline.name, track.report());
    throw failWith(failure, track.report());
  }
}
