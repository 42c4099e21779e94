import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { log } from '@temporalio/activity';
import type { Attempt } from '../../connectors/connector.ts';
import type { Hold, SyncBooks } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { SyncCounts, SyncRunName } from '../../schema/sync.ts';

const beatEvery = 400;

/** Waits, alive, by a clock that nobody sets. */
async function wait(milliseconds: number, attempt: Attempt, progress: unknown): Promise<void> {
  const end = performance.now() + milliseconds;
  for (let left = milliseconds; left > 0; left = end - performance.now()) {
    attempt.beat(progress);
    await sleep(Math.min(left, beatEvery), undefined, { signal: attempt.signal });
  }
}

export interface Patience {
  readonly attempt: Attempt;
  /** For the books: it outlives a cancellation of the attempt. */
  readonly patient: Attempt;
  /** Milliseconds after which nothing of the attempt before can be under way. */
  readonly wait: number;
  /** For heartbeats while it waits. */
  readonly progress: unknown;
  /** Told before it waits. */
  readonly tell?: (milliseconds: number) => void;
}

/**
 * It may have been an earlier attempt of the same run, whose task came to life late: the run goes on by another attempt, which is refused
 * the books where a later run has them. Of an attempt that is over itself nobody hears.
 */
const overtaken = ({ sync }: SyncRunName, cause: MillraceError): MillraceError =>
  new MillraceError('unavailable', `sync ${sync}: another attempt took its books over; it is tried again`, { cause });

/**
 * Does something with the hold of a sync's books. Where the attempt before didn't let go, it first waits until no request of it can be
 * under way any more; lets go at the end, unless `work` says by `keep` that it left some under way.
 */
export async function withHold<Result>(
  books: SyncBooks,
  run: SyncRunName,
  { attempt, patient, wait: longest, progress, tell }: Patience,
  work: (hold: Hold, keep: () => void) => Promise<Result>,
): Promise<Result> {
  const hold = await books.hold(run, patient);
  let isKept = hold.wait;
  const release = async (): Promise<void> => (isKept ? undefined : await books.release(hold, patient));
  try {
    if (hold.wait) {
      tell?.(longest);
      await wait(longest, attempt, progress);
      // It may have been taken away meanwhile.
      await books.prove(hold, patient);
      isKept = false;
    }
    const result = await work(hold, () => void (isKept = true));
    await release();
    return result;
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'fenced') throw overtaken(run, error);
    await release().catch(() => undefined);
    throw error;
  }
}

/** A run's counts as an attempt finds them: those that it was given, unless an attempt before it may have recorded more. */
export async function countsNow(books: SyncBooks, hold: Hold, given: SyncCounts, attemptNo: number, attempt: Attempt): Promise<SyncCounts> {
  return attemptNo === 1 ? given : await books.record(hold, [], attempt);
}

/** Tells the log why a step does nothing for a while. */
export const tellWait =
  (sync: string) =>
  (milliseconds: number): void =>
    log.info('waits until no request of the attempt before can be under way', { sync, seconds: Math.ceil(milliseconds / 1000) });
