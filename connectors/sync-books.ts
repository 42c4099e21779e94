import type { Column } from '../schema/column.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type {
  LeftJobs,
  Operation,
  OperationsByChange,
  PlannedChange,
  SyncCounts,
  SyncJob,
  SyncOptions,
  SyncPlan,
  SyncRunName,
} from '../schema/sync.ts';
import type { BookedSyncRun, Explanation, OpenRow, SyncPreview } from '../schema/sync-books.ts';
import type { Attempt } from './attempt.ts';
import type { LimitStore, TokenStore } from './http/stores.ts';

/** The rows of a model that is in another database than the books: CSV as COPY writes it, without a header. */
export interface ModelRows {
  readonly columns: readonly Column[];
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface SyncPlanRequest {
  readonly run: SyncRunName;
  readonly sync: SyncDefinition;
  readonly options: SyncOptions;
  readonly operations: OperationsByChange;
  /** Where the application writes to: `Application.identity`. */
  readonly identity: string;
  /** Rows keep which of their fields changed. */
  readonly changedOnly: boolean;
  /** Absent: the model is in the same database. */
  readonly rows?: ModelRows;
  /** What the model follows and has never run, where the model is in another database. */
  readonly waits?: readonly string[];
}

/** A row of a plan. `values` are JSON text of an array: match and mapped columns in the plan's order, numbers that JavaScript can't hold and decimals as text. */
export interface PlannedRow {
  readonly no: number;
  readonly key: string;
  readonly change: PlannedChange;
  readonly operation: Operation;
  readonly values: string;
  /** Positions in `sync.map` whose value differs from what was acknowledged; null: all of them. */
  readonly changed: readonly number[] | null;
  readonly remoteId: string | null;
  /** It was handed to the application before, and no outcome is known: to be settled first. */
  readonly sent: boolean;
  readonly idempotencyKey: string;
}

/** The right to write a sync's books, held by one attempt of one step. */
export interface Hold {
  readonly run: SyncRunName;
  readonly epoch: number;
  /** True when the attempt before didn't let go: requests of it may still be under way. */
  readonly wait: boolean;
}

/** What became of one planned row, for the books. */
export interface RecordedRow {
  readonly no: number;
  readonly outcome: 'acknowledged' | 'rejected' | 'unknown';
  readonly reason?: string;
  readonly code?: string;
  readonly requestId?: string;
  readonly remoteId?: string;
}

/** What of its definition a run's jobs are asked about with. */
export type JobsOf = LeftJobs['of'];

/** The books of syncs: what was acknowledged (ledger), what is planned, sent and open, and the log. Every method makes or migrates them first, but for `preview`. */
export interface SyncBooks extends AsyncDisposable {
  readonly limits: LimitStore;
  readonly tokens: TokenStore;
  /**
   * Compares the model with the ledger and writes the run's numbered plan, once: a second attempt gives what the first planned. Where jobs of
   * the run before are noted, nothing is planned (`left`), unless `unknown` says what became of them. Throws
   * `rejected` when the guard of deletes forbids it, `config` when the mapping changed and nobody said that rows may be sent again, or the query doesn't work.
   */
  plan(request: SyncPlanRequest, attempt: Attempt): Promise<SyncPlan>;
  /** The same comparison, writing nothing. */
  preview(request: Omit<SyncPlanRequest, 'run'>, samples: number, attempt: Attempt): Promise<SyncPreview>;
  /** Takes the books from whoever held them; the same attempt's name gets a new epoch each time. */
  hold(run: SyncRunName, attempt: Attempt): Promise<Hold>;
  /** Lets go, when no request is under way any more. */
  release(hold: Hold, attempt: Attempt): Promise<void>;
  /** Rows of the plan from a number on, in order, without those that have an outcome; at most `limit`. */
  rows(run: SyncRunName, from: number, limit: number, attempt: Attempt): Promise<readonly PlannedRow[]>;
  /** Rows by their numbers, for jobs. */
  rowsOf(run: SyncRunName, ranges: readonly (readonly [number, number])[], attempt: Attempt): Promise<readonly PlannedRow[]>;
  /** Proves that the hold still stands. Throws `fenced`. */
  prove(hold: Hold, attempt: Attempt): Promise<void>;
  /** Notes which jobs are under way, in place of those noted before, until none is; proves the hold. Throws `fenced`. */
  noteJobs(hold: Hold, jobs: readonly SyncJob[], of: JobsOf, attempt: Attempt): Promise<void>;
  /** Notes rows as sent before they are, for operations that settle by `lookup` or `none`. Throws `fenced`. */
  mark(hold: Hold, nos: readonly number[], attempt: Attempt): Promise<void>;
  /** Takes that note back: the requests surely had no effect. Throws `fenced`. */
  unmark(hold: Hold, nos: readonly number[], attempt: Attempt): Promise<void>;
  /** Outcomes into ledger, open rows and log, in one transaction; a row that has one already is left alone. Gives the run's counts. Throws `fenced`. */
  record(hold: Hold, rows: readonly RecordedRow[], attempt: Attempt): Promise<SyncCounts>;
  /** Closes the run's books; its plan goes, unless jobs of it are noted. May run again. */
  end(run: SyncRunName, failure: string | undefined, attempt: Attempt): Promise<SyncCounts>;
  /** Deletes what is older than the retention. */
  retain(sync: SyncDefinition, attempt: Attempt): Promise<void>;
  listOpen(
    query: { readonly project: string; readonly sync: string; readonly limit: number },
    attempt: Attempt,
  ): Promise<readonly OpenRow[]>;
  /** When the first refused row may be sent again, in milliseconds since 1970; null when none may. */
  retryAt(query: { readonly project: string; readonly sync: string }, attempt: Attempt): Promise<number | null>;
  listRuns(
    query: { readonly project: string; readonly sync: string; readonly limit: number },
    attempt: Attempt,
  ): Promise<readonly BookedSyncRun[]>;
  /** How many rows of the ledger were sent under another mapping, or to another application where its identity is given, and what changed; undefined when it is the same. */
  mappingChange(
    sync: SyncDefinition,
    identity: string | undefined,
    attempt: Attempt,
  ): Promise<{ readonly rows: number; readonly difference: string } | undefined>;
  /** All that is known of one key, from model, ledger, plan and log. */
  explain(request: Omit<SyncPlanRequest, 'run'>, key: string, attempt: Attempt): Promise<Explanation>;
}
