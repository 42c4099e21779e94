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

/**
 * Does something with the hold of a sync's books. Where the attempt before didn't let go, it first waits until no request of it can be
 * under way any more; lets go at the end, when `work` has left none under way.
 */
export async function withHold<Result>(
  books: SyncBooks,
  run: SyncRunName,
  { attempt, wait: longest, progress }: { readonly attempt: Attempt; readonly wait: number; readonly progress: unknown },
  work: (hold: Hold) => Promise<Result>,
): Promise<Result> {
  const hold = await books.hold(run, attempt);
  if (hold.wait) await wait(longest, attempt, progress);
  // A cancelled step lets go too.
  const letGo = (): Promise<void> => books.release(hold, { ...attempt, signal: new AbortController().signal });
  try {
    const result = await work(hold);
    await letGo();
    return result;
  } catch (error) {
    if (!(error instanceof MillraceError && error.code === 'fenced')) await letGo().catch(() => undefined);
    throw error;
  }
}
