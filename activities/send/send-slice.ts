import { performance } from 'node:perf_hooks';
import type { Application, StartedJob } from '../../connectors/application.ts';
import type { Attempt } from '../../connectors/connector.ts';
import type { Hold, SyncBooks } from '../../connectors/sync-books.ts';
import { MillraceError, retryableCodes } from '../../schema/errors.ts';
import type { Column } from '../../schema/column.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { SyncJob, SyncProgress } from '../../schema/sync.ts';
import { isMarked, jobsOf, nosOf, settlingOf, type Sending } from './context.ts';
import { isIn, rangesOf, trackDone } from './done.ts';
import { openLedgerWriter } from './ledger-writer.ts';
import { outgoingRows } from './outgoing.ts';
import type { Pace } from './pace.ts';
import { readPlan } from './plan-reader.ts';
import { sendItem } from './send-item.ts';
import { settleAtFirst, settleByLookup } from './settle.ts';
import { sliceTime } from './slice-time.ts';
import { planWork, type Item } from './work.ts';

const pageRows = 2000;
/** A proof of life every so often while calls are within their time. */
const beatEvery = 400;
/** A statement of the books that takes longer is no proof of life. */
const longestStatement = 60_000;

/** What one step sends from. */
export interface Slice {
  readonly sync: SyncDefinition;
  readonly columns: readonly Column[];
  /** Rows of the plan. */
  readonly planned: number;
  readonly progress: SyncProgress;
  readonly application: Application;
  /** For reading the plan. */
  readonly books: SyncBooks;
  /** For writing outcomes. */
  readonly ledger: SyncBooks;
  readonly hold: Hold;
  readonly attempt: Attempt;
  /** The same for requests and books: it outlives a cancellation, so that what is under way ends well. */
  readonly patient: Attempt;
  readonly pace: Pace;
  readonly stubborn: boolean;
}

/** Where the sending stands, and what ended it before its time. */
export interface Sliced {
  readonly progress: SyncProgress;
  readonly stopped: { readonly error: unknown } | undefined;
  /** No request is under way, here or at the application, that who sends next would have to wait for. */
  readonly isQuiet: boolean;
}

/** Who sends next sends the same values, or finds this one at its end. */
const isTriedAgain = (error: unknown): boolean => error instanceof MillraceError && retryableCodes.has(error.code);

/**
 * Sends rows of a plan for a while: reading ahead, some requests at the same time, outcomes recorded behind them. Ends with every request
 * answered and every outcome durable, unless the books failed.
 */
export async function sendSlice(slice: Slice): Promise<Sliced> {
  const { sync, application, planned, progress, hold, attempt, patient, pace } = slice;
  const { limits } = application;
  const time = sliceTime(pace.slice);
  const done = trackDone(progress.position, planned);
  const jobs: SyncJob[] = [...progress.jobs];
  let after = progress.after;
  let noted: Promise<void> = Promise.resolve();
  let stopped: { readonly error: unknown } | undefined;

  const stop = (error: unknown): void => {
    stopped ??= { error };
    work.close();
  };
  const cancel = (): void => stop(attempt.signal.reason);
  const beat = (): void => attempt.beat({ position: done.position(), jobs, after });
  const writer = openLedgerWriter({
    books: slice.ledger,
    hold,
    attempt: patient,
    lease: pace.lease,
    counts: progress.counts,
    onFailure: stop,
    onRecorded(rows) {
      for (const { no } of rows) done.add(no);
      beat();
    },
  });
  const work = planWork({
    reader: () => reader,
    limits,
    takes: (operation, underWay) =>
      !time.isOver() && jobs.length + underWay < (limits.jobs ?? Infinity) && jobs.every((job) => job.operation === operation),
    toItem: ({ sent, ...batch }) => ({
      ...batch,
      step: 'send',
      tries: 0,
      since: undefined,
      marked: sent,
      mayDouble: false,
    }),
  });
  const sending: Sending = {
    sync,
    application,
    writer,
    work,
    pace,
    attempt: patient,
    stubborn: slice.stubborn,
    calls: new Set(),
    isStopped: () => stopped !== undefined,
    stop,
    answeredAt: 0,
    givenUp: 0,
    quiet: { repeatable: 0, marked: 0 },
    started(item: Item, job: StartedJob) {
      const nos = nosOf(item.rows);
      // Rows between them that have outcomes are no rows of a job, whoever has them.
      const isSettled = (no: number): boolean => done.has(no) && !jobs.some(({ rows }) => isIn(rows, no));
      jobs.push({ handle: job.handle, operation: item.operation, rows: rangesOf(nos, isSettled) });
      after = jobs.length === 1 ? job.after : Math.min(after, job.after);
      for (const no of nos) done.add(no);
      beat();
      const now = [...jobs];
      noted = noted.then(() => slice.ledger.noteJobs(hold, now, jobsOf(sync), patient)).catch(stop);
    },
  };
  const reader = readPlan({
    from: progress.position,
    pageRows,
    limits,
    page: (from, limit) => slice.books.rows(hold.run, from, limit, patient),
    toRow: outgoingRows(sync, slice.columns, application.changedOnly),
    leftOut: (no) => jobs.some(({ rows }) => isIn(rows, no)),
    settles: (operation) => isMarked(settlingOf(sending, operation)),
    onGap: (from, to) => {
      for (let no = from; no < to; no += 1) done.add(no);
    },
    onChange: () => work.wake(),
    onFailure: stop,
  });
  const lane = async (): Promise<void> => {
    for (;;) {
      await writer.room();
      const item = await work.next();
      if (item === undefined) return;
      try {
        await deliver(sending, item);
      } catch (error) {
        stop(error);
      } finally {
        time.ended();
        work.finished();
      }
    }
  };
  const ticking = setInterval(() => {
    const inTime = [...sending.calls].every((call) => performance.now() - call.startedAt < limits.requestTimeout + pace.lease);
    if (inTime && writer.busyFor() < longestStatement) beat();
    // The end of the time for new rows must be noticed by lanes that wait.
    if (time.isOver()) work.wake();
  }, beatEvery);
  attempt.signal.addEventListener('abort', cancel, { once: true });
  try {
    if (attempt.signal.aborted) cancel();
    await Promise.all(Array.from({ length: limits.concurrency }, lane));
    await writer.flush().catch(stop);
    await noted;
  } finally {
    clearInterval(ticking);
    attempt.signal.removeEventListener('abort', cancel);
  }
  const sent = stopped === undefined && reader.ended();
  const goesOn = stopped === undefined ? !sent : isTriedAgain((stopped as { readonly error: unknown }).error);
  const quietAt = Math.max(sending.quiet.marked, goesOn ? 0 : sending.quiet.repeatable);
  const isQuiet = performance.now() >= quietAt;
  return { progress: { position: sent ? planned + 1 : done.position(), jobs, counts: writer.counts(), sent, after }, stopped, isQuiet };
}

/** Deals with one item: rows that were sent before are settled first. */
async function deliver(sending: Sending, item: Item): Promise<void> {
  if (item.step === 'settle') await settleByLookup(sending, item);
  else if (item.marked && item.tries === 0 && item.since === undefined) settleAtFirst(sending, { ...item, since: performance.now() });
  else await sendItem(sending, item);
}
