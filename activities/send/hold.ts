import { setTimeout as sleep } from 'node:timers/promises';
import type { Attempt } from '../../connectors/connector.ts';
import type { Hold, SyncBooks } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { SyncRunName } from '../../schema/sync.ts';

const beatEvery = 5000;

/** Waits, alive. */
async function wait(milliseconds: number, attempt: Attempt, progress: unknown): Promise<void> {
  const end = Date.now() + milliseconds;
  for (let left = milliseconds; left > 0; left = end - Date.now()) {
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
}

/**
 * Does something with the hold of a sync's books. Where the attempt before didn't let go, it first waits until no request of it can be
 * under way any more; lets go at the end, when `work` has left none under way.
 */
export async function withHold<Result>(
  books: SyncBooks,
  run: SyncRunName,
  { attempt, patient, wait: longest, progress }: Patience,
  work: (hold: Hold) => Promise<Result>,
): Promise<Result> {
  const hold = await books.hold(run, patient);
  if (hold.wait) await wait(longest, attempt, progress);
  try {
    const result = await work(hold);
    await books.release(hold, patient);
    return result;
  } catch (error) {
    if (!(error instanceof MillraceError && error.code === 'fenced')) await books.release(hold, patient).catch(() => undefined);
    throw error;
  }
}
