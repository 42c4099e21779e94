import {
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  ContinueAsNew,
  isCancellation,
  log,
  sleep,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Failure } from '../schema/run.ts';
import type { DeliverRun, GoingSync, SyncProgress, SyncReport, SyncRunName } from '../schema/sync.ts';
import { failureOf, failWith } from './failure.ts';
import { finishJobs } from './left-jobs.ts';
import { measureSync } from './measure.ts';
import { grouped } from './page.ts';
import { endSyncSteps, syncSteps } from './steps.ts';
import { noSyncCounts, tooManyRejected } from './sync-counts.ts';
import { trackDelivery, type SyncTrack } from './sync-track.ts';

/** Rows of ended jobs are sent again this often. */
const rounds = 5;
/** Jobs of a run that ends before its time are asked about for this long. */
const longestFetch = 5 * 60_000;
/** Looks at them that fail, until that is given up, with a pause between them. */
const looks = 3;
const lookAgain = 10_000;

/** Sends the rows of a plan step by step, and asks about jobs between the steps. */
function sendSteps(run: DeliverRun, first: GoingSync, track: SyncTrack) {
  const { sync } = run;
  const steps = syncSteps(sync.heartbeatTimeout);
  let going = first;
  // Nothing can be sent until a job has ended.
  let blocked = false;
  let pollAt = Date.now() + going.progress.after;

  const input = () => ({
    run: going.name,
    sync,
    columns: going.plan.columns,
    planned: going.plan.counts.planned,
    progress: going.progress,
  });
  const show = (): void => {
    const { plan, progress } = going;
    const done = progress.counts.acknowledged + progress.counts.rejected + progress.counts.unknown;
    const step = `send ${grouped(done)}/${grouped(plan.counts.planned)}`;
    track.update({ ...progress.counts, step, jobs: progress.jobs.length, operations: plan.operations });
  };
  const take = (progress: SyncProgress): void => {
    if (progress.jobs.length > 0) pollAt = Date.now() + progress.after;
    going = { ...going, progress };
    show();
  };
  const send = async (): Promise<void> => {
    const before = going.progress;
    const summary = `send ${sync.name} from row ${grouped(Math.max(1, before.position))}`;
    take(await steps.sendRows.executeWithOptions({ summary }, [input()]));
    const { position, jobs, failure } = going.progress;
    blocked = position === before.position && jobs.length === before.jobs.length;
    if (failure !== undefined) throw failWith(failure);
  };
  const poll = async (lastChance: boolean): Promise<void> => {
    const wait = pollAt - Date.now();
    if (wait > 0) await sleep(Math.max(1000, wait));
    const before = going.progress;
    const summary = `ask about ${before.jobs.length} ${before.jobs.length === 1 ? 'job' : 'jobs'} of ${sync.name}`;
    const progress = await steps.pollJobs.executeWithOptions({ summary }, [{ ...input(), lastChance }]);
    take(progress);
    blocked = progress.jobs.length === before.jobs.length;
    if (progress.position < before.position) going = { ...going, rounds: going.rounds + 1 };
  };
  show();
  return {
    going: () => going,
    isOver: () => going.progress.sent && going.progress.jobs.length === 0,
    hasJobs: () => going.progress.jobs.length > 0,
    poll,
    /** Does what is next: an ended job makes room for more rows. */
    async step() {
      const { sent, jobs } = going.progress;
      const isPollDue = jobs.length > 0 && Date.now() >= pollAt;
      if (!sent && !blocked && !isPollDue) return await send();
      if (jobs.length > 0) return await poll(going.rounds >= rounds);
      blocked = false;
    },
  };
}
type SendSteps = ReturnType<typeof sendSteps>;

/** Asks about jobs until all of them have ended; a look that fails is repeated, a few times. */
async function pollToEnd(steps: SendSteps): Promise<void> {
  for (let failed = 0; steps.hasJobs();) {
    try {
      await steps.poll(false);
    } catch (error) {
      failed += 1;
      if (isCancellation(error) || failed === looks) throw error;
      await sleep(lookAgain);
    }
  }
}

/**
 * The results of jobs that are under way are fetched before they expire, whatever else failed, and after a cancellation too: no later run
 * is to settle rows that a job still works on. For a while; the next run asks about what is left.
 */
async function fetchResults(steps: SendSteps): Promise<void> {
  if (!steps.hasJobs()) return;
  try {
    await CancellationScope.nonCancellable(() => CancellationScope.withTimeout(longestFetch, () => pollToEnd(steps)));
  } catch (error) {
    log.warn('results of jobs were not fetched; the next run asks for them', { error: failureOf(error).message });
  }
}

/** Sends every row, and waits for every job. A run whose history got long goes on as a new one. */
async function carry(run: DeliverRun, first: GoingSync, track: SyncTrack): Promise<void> {
  const steps = sendSteps(run, first, track);
  try {
    for (;;) {
      const { plan, progress } = steps.going();
      const refused = tooManyRejected(run.sync, plan, { ...progress.counts, invalid: plan.counts.invalid });
      if (refused !== undefined) throw failWith(refused);
      if (steps.isOver()) return;
      if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the run was cancelled');
      if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof deliver>({ ...run, going: steps.going() });
      await steps.step();
    }
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    await fetchResults(steps);
    throw error;
  }
}

async function plan(run: DeliverRun, name: SyncRunName, track: SyncTrack): Promise<GoingSync> {
  const { sync, options } = run;
  const startedAt = Date.now();
  const { planSync } = syncSteps(sync.heartbeatTimeout);
  const ask = () => planSync.executeWithOptions({ summary: `plan ${sync.name}` }, [{ run: name, sync, options }]);
  let planned = await ask();
  for (; planned.left !== undefined; planned = await ask()) await finishJobs(run, planned.left, track);
  track.update({ ...planned.counts, again: planned.again, operations: planned.operations, notes: planned.notes });
  const progress: SyncProgress = { position: 0, jobs: [], counts: planned.counts, sent: planned.counts.planned === 0, after: 0 };
  return { name, plan: planned, progress, rounds: 0, startedAt };
}

/** Closes the books, whatever became of the run. */
async function end({ sync }: DeliverRun, run: SyncRunName, track: SyncTrack, failure: Failure | undefined): Promise<void> {
  const input = { run, sync, ...(failure === undefined ? {} : { failure: `${failure.code}: ${failure.message}` }) };
  const { counts, reasons, retryAt } = await endSyncSteps(sync.heartbeatTimeout).endSync.executeWithOptions(
    { summary: `end ${sync.name}` },
    [input],
  );
  track.update({ ...counts, jobs: 0, notes: [...track.report().notes, ...reasons], ...(retryAt === null ? {} : { retryAt }) });
}

async function endFailed(run: DeliverRun, name: SyncRunName, track: SyncTrack, failure: Failure): Promise<void> {
  try {
    await CancellationScope.nonCancellable(() => end(run, name, track, failure));
  } catch (error) {
    log.warn('the books of a run could not be closed; the next run does that', { error: failureOf(error).message });
  }
}

async function carryOut(run: DeliverRun, name: SyncRunName, track: SyncTrack): Promise<SyncReport> {
  const going = run.going ?? (await plan(run, name, track));
  const { waits } = going.plan;
  if (waits !== undefined) {
    await end(run, name, track, undefined);
    track.update({ ...noSyncCounts, status: 'skipped', step: '', notes: [`waits for ${waits}, which has never run`] });
    return track.report();
  }
  await carry(run, going, track);
  track.update({ step: 'end' });
  await end(run, name, track, undefined);
  track.update({ status: 'succeeded', step: '' });
  return track.report();
}

/** One sync from its plan to the end of its books. Fails with its report in the details. */
export async function deliver(run: DeliverRun): Promise<SyncReport> {
  const track = trackDelivery(run);
  const { workflowId, runId: workflowRunId } = workflowInfo();
  const { project, name: sync } = run.sync;
  const name = run.going?.name ?? { project, sync, runId: uuid4(), workflowId, workflowRunId };
  try {
    const report = await carryOut(run, name, track);
    measureSync(report);
    return report;
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    const failure = failureOf(error);
    await endFailed(run, name, track, failure);
    if (failure.code === 'cancelled') throw error;
    track.update({ status: 'failed', failure });
    measureSync(track.report());
    throw failWith(failure, track.report());
  }
}
