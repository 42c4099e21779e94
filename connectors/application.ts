import type { Operation, Settling } from '../schema/sync.ts';
import type { FieldValue } from '../schema/value.ts';
import type { Attempt, CheckReport } from './attempt.ts';
import type { LimitStore, TokenStore, Transport } from './http/stores.ts';

/** What a worker gives to an application that it opens. */
export interface ApplicationContext {
  /** Limits of a credential, shared by all workers. */
  readonly limits: LimitStore;
  /** Tokens of a credential, shared by all workers. */
  readonly tokens: TokenStore;
  /** Takes the place of the network, where requests are only to be shown. */
  readonly transport?: Transport;
}

/** What a sync wants from an application's object; connectors read of it what they need. */
export interface ApplicationRequest {
  /** What the project file has behind the connection's name: `contacts`, `lists/42`, `public.accounts`. */
  readonly object: string;
  /** Fields that find an object, in the project file's order. */
  readonly match: readonly string[];
  /** Fields that are written. */
  readonly fields: readonly string[];
  /** Operations that the sync can need, where that is known: checks ask only for their grants. */
  readonly operations?: readonly Operation[];
  /** Options of the object's kind, checked by the connector's `writeOptions`. */
  readonly write: Readonly<Record<string, unknown>>;
  /** About how many rows the run sends, where that is known: bulk APIs are worth it from some number on. */
  readonly rows?: number;
}

/** A field of an application's object, for checks before anything is sent. */
export interface Field {
  readonly name: string;
  /** `any`: the application doesn't say. `json`: nested. `date` and `datetime` are ISO 8601 text on their way. */
  readonly type: 'string' | 'number' | 'integer' | 'boolean' | 'date' | 'datetime' | 'enum' | 'json' | 'any';
  /** Must have a value when an object is created. */
  readonly required: boolean;
  readonly readOnly: boolean;
  /** No two objects have the same value, so that it can find one. */
  readonly unique: boolean;
  /** The values that an `enum` takes. */
  readonly options?: readonly string[];
  readonly maxLength?: number;
}

/** What an application says of an object. */
export interface ObjectDescription {
  readonly fields: readonly Field[];
  /** True when no others can be written. */
  readonly closed: boolean;
}

/** One row of a batch. */
export interface OutgoingRow {
  /** Its number in the plan. */
  readonly no: number;
  /** The model's key as text. */
  readonly key: string;
  /** Field to value, of the fields that find the object. */
  readonly match: Readonly<Record<string, FieldValue>>;
  /** Field to value, of those to be written; with `changedOnly` only those that changed. NULL empties the field. */
  readonly fields: Readonly<Record<string, FieldValue>>;
  /** What the application called the object when it acknowledged it, or when it was looked up. */
  readonly remoteId: string | undefined;
  /** The same for each attempt to send this row's present values, and for no others; letters, digits and dashes. */
  readonly idempotencyKey: string;
}

/** Rows for one operation, no two with the same match. */
export interface Batch {
  readonly operation: Operation;
  readonly rows: readonly OutgoingRow[];
}

/** What became of one row. Reasons are the application's own words, without values of rows where they can be told apart. */
export type Outcome =
  | { readonly status: 'acknowledged'; readonly remoteId?: string; readonly requestId?: string }
  | { readonly status: 'rejected'; readonly reason: string; readonly code?: string; readonly requestId?: string }
  /** Locked or throttled for itself: sent again within the run, after this many milliseconds. */
  | { readonly status: 'again'; readonly reason: string; readonly after: number; readonly requestId?: string }
  | { readonly status: 'unknown'; readonly reason: string; readonly requestId?: string };

/** A batch that the application took as a job. Nothing of it may have an effect before the first `poll`, unless its operation settles as `upsert`. */
export interface StartedJob {
  readonly handle: string;
  /** Milliseconds until it is worth asking. */
  readonly after: number;
}

/** What became of a job: still at work, gone without a trace (its rows are settled and sent again), or an outcome for each row, in order. */
export type Polled = { readonly after: number } | { readonly lost: string } | { readonly outcomes: readonly Outcome[] };

export interface ApplicationLimits {
  /** Rows of one batch at most. */
  readonly batchRows: number;
  /** The same for operations that take fewer. */
  readonly operationRows?: Readonly<Partial<Record<Operation, number>>>;
  /** Bytes of one batch's rows as JSON at most. */
  readonly batchBytes: number;
  /** Batches under way at the same time, by one run. */
  readonly concurrency: number;
  /** Jobs under way at the same time; absent: it has none. */
  readonly jobs?: number;
  /** Milliseconds after which no request of a batch can have an effect any more, once it was begun. */
  readonly requestTimeout: number;
  /** Requests in a time, for previews. The HTTP client keeps to it. */
  readonly rate?: { readonly requests: number; readonly per: number };
}

/**
 * An application's object, opened for one step by one caller. Batches may be sent at the same time. It neither retries nor splits nor
 * remembers: the platform does.
 */
export interface Application extends AsyncDisposable {
  readonly limits: ApplicationLimits;
  /**
   * Where it writes to, for people, without secrets: `https://acme.zendesk.com`, `db.example.com:5432/app`, with what else makes it another
   * object. What was acknowledged holds for this alone.
   */
  readonly identity: string;
  /** The operations that the object has, and how a missing answer to each is settled. */
  readonly writes: Readonly<Partial<Record<Operation, Settling>>>;
  /** Only fields that changed are to be sent: it bills or locks by the field. */
  readonly changedOnly: boolean;
  /** What a changed field costs, for previews: `data points`. */
  readonly costUnit?: string;
  check(attempt: Attempt): Promise<CheckReport>;
  /** Names of objects that can be written, for people; empty when the application can't list them. */
  objects(attempt: Attempt): Promise<readonly string[]>;
  /** The object's fields. Throws `not-found` naming the nearest. */
  describe(attempt: Attempt): Promise<ObjectDescription>;
  /**
   * Sends one batch and says what became of each row, in order; or starts a job. Throws when the batch as a whole failed: `rejected` for
   * what it holds (it is halved until the row stands alone), `rate-limited` with `retryAfter`, `unavailable` when it surely had no effect,
   * `unknown` when it may have had one, `auth`, `config` and `not-found` when no batch can work.
   */
  send(batch: Batch, attempt: Attempt): Promise<readonly Outcome[] | StartedJob>;
  /** Asks about jobs; the first call for a job may be what sets it going. Moves each forward, and may run again. A batch holds those rows of its job that have no outcome yet. One answer for each, in order. */
  poll?(jobs: readonly { readonly handle: string; readonly batch: Batch }[], attempt: Attempt): Promise<readonly Polled[]>;
  /** For operations that settle by `lookup`: the application's name of each row's object, in order; undefined when it has none. For `add`: defined when it is a member. */
  find?(rows: readonly OutgoingRow[], attempt: Attempt): Promise<readonly (string | undefined)[]>;
}
