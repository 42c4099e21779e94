import type { Counts, StreamState } from './load.ts';
import type { Cursor, Target } from './stream.ts';

/** A load as the books have it: committed, or given up with its reason. */
export interface BookedLoad {
  readonly id: string;
  readonly pipeline: string;
  readonly stream: string;
  readonly outcome: 'committed' | 'failed';
  /** Why it was given up; null when it was committed. */
  readonly reason: string | null;
  /** Of a failed load only `rejected` is known. */
  readonly counts: Counts & { readonly deleted: number };
  readonly cursor: Cursor | null;
  readonly notes: readonly string[];
  readonly workflowId: string;
  readonly runId: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** A refused row as it was kept; `row` is JSON, or the text that could not be parsed. */
export interface BookedRejection {
  /** Grows with time; a number that JavaScript may not hold. */
  readonly id: string;
  readonly loadId: string;
  readonly pipeline: string;
  readonly stream: string;
  readonly partition: string | null;
  readonly file: string | null;
  readonly position: string | null;
  readonly key: string | null;
  readonly column: string | null;
  readonly rule: string | null;
  readonly reason: string | null;
  readonly row: string | null;
  readonly at: string;
  /** When a later load delivered the row, or refused it anew; null while it is open. */
  readonly closedAt: string | null;
  /** False when the books don't have its load as committed: it failed, so that the next run reads the row again. */
  readonly committed: boolean;
}

/** Where a stream stands. */
export interface BookedStream extends StreamState {
  readonly pipeline: string;
  readonly stream: string;
  /** The table that was made for it; null before the first load. */
  readonly target: Target | null;
  readonly loadId: string | null;
  readonly updatedAt: string;
}

/** Which part of the books is asked for; without `pipeline` or `stream` all of them. */
export interface BooksQuery {
  readonly project: string;
  readonly pipeline?: string;
  readonly stream?: string;
}

export interface LoadsQuery extends BooksQuery {
  readonly limit: number;
}

export interface RejectionsQuery extends BooksQuery {
  readonly limit: number;
  /** Closed ones too. */
  readonly all?: boolean;
  readonly loadId?: string;
  /** Only those with a greater id: the next page. */
  readonly after?: string;
}

export interface StreamName {
  readonly project: string;
  readonly pipeline: string;
  readonly stream: string;
}
