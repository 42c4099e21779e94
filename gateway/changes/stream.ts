import type { Change } from '../../connectors/gateway-books.ts';
import { cursorOf } from './cursor.ts';
import type { RecentChanges } from './recent.ts';
import type { SeenChange } from './visible.ts';

/** Milliseconds. */
export interface StreamTimes {
  /** Between signs of life. */
  readonly heartbeat: number;
  /** A reader that takes nothing for so long is cut off, and may come back with its cursor. */
  readonly patience: number;
  /** Between looks at whether the token is still good. */
  readonly recheck: number;
  /** How long a client should wait before it comes back; twice this at most, so that not all come at once. */
  readonly retry: number;
}

export const streamTimes: StreamTimes = { heartbeat: 15_000, patience: 30_000, recheck: 2_000, retry: 1_000 };

export interface StreamOptions {
  readonly recent: RecentChanges;
  readonly from: bigint;
  readonly see: (change: Change) => SeenChange | undefined;
  /** Waits until what is seen includes what the changes so far have made. */
  readonly settle: () => Promise<void>;
  /** The stream ends with it. */
  readonly signal: AbortSignal;
  readonly times: StreamTimes;
  /** The reader takes nothing. */
  readonly cut: () => void;
}

const batch = 200;

function eventOf(change: Change, seen: SeenChange): string {
  const id = cursorOf(BigInt(change.id));
  return `event: committed\nid: ${id}\ndata: ${JSON.stringify({ id, ...seen, at: change.at })}\n\n`;
}

/** Where the reader is. It has data, for some clients keep no id without. */
function placeOf(position: bigint): string {
  const id = cursorOf(position);
  return `event: cursor\nid: ${id}\ndata: ${JSON.stringify({ id })}\n\n`;
}

/**
 * The text of a stream of server-sent events, as far as its reader takes it: nothing is read ahead but a batch. The cursor is told from
 * the beginning and with each sign of life, also of changes that the caller doesn't see.
 */
export async function* changesText({ recent, from, see, settle, signal, times, cut }: StreamOptions): AsyncGenerator<string> {
  let position = from;
  const retry = (): string => `retry: ${Math.round(times.retry * (1 + Math.random()))}\n`;
  let text = `${retry()}${placeOf(position)}`;
  while (!signal.aborted) {
    if (text !== '') {
      const stuck = setTimeout(cut, times.patience);
      try {
        yield text;
      } finally {
        clearTimeout(stuck);
      }
    }
    const next = await recent.after(position, batch);
    position = next.position;
    if (next.changes.length > 0) await settle();
    text = next.changes
      .map((change) => {
        const seen = see(change);
        return seen === undefined ? '' : eventOf(change, seen);
      })
      .join('');
    if (next.changes.length > 0) continue;
    if (!(await recent.wait(position, times.heartbeat, signal))) text = placeOf(position);
  }
  yield `${retry()}\n`;
}
