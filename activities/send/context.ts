import { performance } from 'node:perf_hooks';
import type { Application, StartedJob } from '../../connectors/application.ts';
import type { Attempt } from '../../connectors/connector.ts';
import type { JobsOf, RecordedRow } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { Operation } from '../../schema/sync.ts';
import type { Settling } from '../../schema/sync.ts';
import type { LedgerWriter } from './ledger-writer.ts';
import type { SizedRow } from './outgoing.ts';
import type { Pace } from './pace.ts';
import type { Item, Work } from './work.ts';

/** Requests without an answer: of operations that may be sent again as they are, and of those that are looked up first or not settled. */
interface Quiet {
  repeatable: number;
  marked: number;
}

/** What everything that sends rows shares. */
export interface Sending {
  readonly sync: Pick<SyncDefinition, 'name' | 'mode' | 'whenUnknown'>;
  readonly application: Application;
  readonly writer: LedgerWriter;
  readonly work: Work;
  readonly pace: Pace;
  /** For requests: it outlives a cancellation, so that their answers are heard. */
  readonly attempt: Attempt;
  /** A few rows without an answer are given up, one by one, even when nothing else is answered either. */
  readonly stubborn: boolean;
  /** Calls of the application under way: when each began. */
  readonly calls: Set<{ readonly startedAt: number }>;
  isStopped(): boolean;
  /** Ends the sending: what is under way ends, nothing new begins. */
  stop(error: unknown): void;
  started(item: Item, job: StartedJob): void;
  /** When the application last answered, in milliseconds of `performance.now()`. */
  answeredAt: number;
  /** Rows that were given up without an answer. */
  givenUp: number;
  /** Until when requests may have an effect that brought no answer, in the same milliseconds. */
  readonly quiet: Quiet;
}

export const nosOf = (rows: readonly SizedRow[]): readonly number[] => rows.map(({ no }) => no);

/** What the books keep of a sync's definition with its jobs. */
export const jobsOf = ({ object, match, map, mode, write }: SyncDefinition): JobsOf => ({ object, match, map, mode, write });

/** How a missing answer to an operation is settled. */
export function settlingOf({ application, sync }: Pick<Sending, 'application' | 'sync'>, operation: Operation): Settling {
  const settling = application.writes[operation];
  if (settling === undefined) throw new MillraceError('config', `sync ${sync.name}: its object has no ${operation}`);
  return settling;
}

/** Rows of these are noted as sent before they are. */
export const isMarked = (settling: Settling): boolean => settling === 'lookup' || settling === 'none';

/** Calls the application, and knows for how long. */
export async function call<Result>(sending: Sending, run: () => Promise<Result>): Promise<Result> {
  const entry = { startedAt: performance.now() };
  sending.calls.add(entry);
  try {
    return await run();
  } finally {
    sending.calls.delete(entry);
  }
}

/** Notes that requests for an operation, begun at a time, may have an effect still. */
export function missed(sending: Sending, operation: Operation, startedAt: number): void {
  const kind = isMarked(settlingOf(sending, operation)) ? 'marked' : 'repeatable';
  sending.quiet[kind] = Math.max(sending.quiet[kind], startedAt + sending.application.limits.requestTimeout);
}

const doubled = 'sent again after a missing answer: it may be there twice';

/** An outcome for the books, said of a row that may be doubled too. */
export function recorded(item: Item, row: RecordedRow): RecordedRow {
  return item.mayDouble && row.outcome === 'acknowledged' ? { reason: doubled, ...row } : row;
}

/** Tries an item again after a pause that grows. */
export function tryLater({ work, pace, application }: Sending, item: Item, least: number, rest: Partial<Item> = {}): void {
  const longest = Math.max(pace.longestPause, application.limits.requestTimeout);
  const pause = Math.min(Math.max(least, pace.pause(item.tries)), longest);
  work.later({ ...item, tries: item.tries + 1, since: item.since ?? performance.now(), ...rest }, pause);
}

/** Halves of rows, the first not smaller. */
export function halves(rows: readonly SizedRow[]): readonly [readonly SizedRow[], readonly SizedRow[]] {
  const middle = Math.ceil(rows.length / 2);
  return [rows.slice(0, middle), rows.slice(middle)];
}
