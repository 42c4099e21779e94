import type { z } from 'zod';
import type { BookedLoad, BookedRejection, BookedStream, BooksQuery, LoadsQuery, RejectionsQuery, StreamName } from '../schema/books.ts';
import type { ModelDefinition, StreamDefinition } from '../schema/definition.ts';
import type { Committed, Load, Loaded, Manifest, Prepared, StagedFile, StagedFormat, StreamState } from '../schema/load.ts';
import type { Cursor, Partition, Stream, Target } from '../schema/stream.ts';
import type { Column } from '../schema/column.ts';
import type { Step } from '../schema/step.ts';
import type { Application, ApplicationContext, ApplicationRequest } from './application.ts';
import type { Attempt, CheckReport } from './attempt.ts';
import type { Datasets, DatasetsOptions } from './datasets.ts';
import type { GatewayBooks } from './gateway-books.ts';
import type { ModelRows, SyncBooks } from './sync-books.ts';
import type { WebhookBooks } from './webhook-books.ts';

export type { Attempt, CheckReport } from './attempt.ts';

/**
 * The roles that a kind of system can play. A connector plays one or more of them; each value below is opened for one step
 * (`open…`), used by one caller at a time and closed by `await using`. Every method may run again with the same arguments.
 * Failures are `MillraceError`s; anything else is a bug and is retried a few times.
 */

/** Bytes of a stream in the plan's format. Page boundaries mean nothing; `rows` counts the rows known to be complete so far by this page. */
export interface Page {
  readonly bytes: Uint8Array;
  readonly rows: number;
}

export interface PlanRequest {
  readonly definition: StreamDefinition;
  /** The stream as `discover` gave it. */
  readonly stream: Stream;
  /** The stored cursor; undefined on a first or full read. */
  readonly cursor: Cursor | undefined;
  /** A window to read again (`--from`, `--to`), inclusive and exclusive; never moves the cursor. */
  readonly window: { readonly from?: Cursor; readonly to?: Cursor } | undefined;
  /** Leading transform steps for the source to take over; it takes as many as it can, in order. */
  readonly steps: readonly Step[];
  /** Formats that the next step can read, in order of preference; a source that takes all steps may choose any of them. */
  readonly formats: readonly StagedFormat['kind'][];
  readonly partitionBytes: number;
  /** At most this many partitions. */
  readonly maxPartitions: number;
}

export interface SourcePlan {
  readonly partitions: readonly Partition[];
  readonly format: StagedFormat['kind'];
  /** What the pages hold, in order, after the steps taken over. */
  readonly columns: readonly Column[];
  /** How many of `steps` the source's own query does. */
  readonly stepsTaken: number;
  /** To be stored by the commit as the next cursor; null keeps the stored one. */
  readonly nextCursor: Cursor | null;
  /** True when the partitions together are the whole stream. */
  readonly complete: boolean;
  /** The rows are events: one may come again under the same key, and none can be read again once it is committed and released. */
  readonly events?: true;
  /** Where the rows of a merge or history are equal by cursor, how `>=` reads them again: nothing here to know for callers. */
  readonly notes: readonly string[];
  /** Identity of the source (cluster and database, folder), for the fingerprint. No secrets. */
  readonly identity: string;
  /** Rows that the source's own filters leave out aren't read; so they are not in the books. */
  readonly estimatedRows?: number;
}

export interface ReadRequest {
  readonly definition: StreamDefinition;
  readonly stream: Stream;
  readonly plan: Omit<SourcePlan, 'partitions'>;
  readonly steps: readonly Step[];
  readonly partition: Partition;
}

export interface ReadPages {
  readonly format: StagedFormat;
  readonly pages: AsyncIterable<Page>;
}

export interface Source extends AsyncDisposable {
  check(attempt: Attempt): Promise<CheckReport>;
  /** Streams that match the patterns (exact names or `*` wildcards), all without patterns. Throws `not-found` naming the nearest when an exact name is missing. */
  discover(patterns: readonly string[] | undefined, attempt: Attempt): Promise<readonly Stream[]>;
  /** Fixes what this run reads, as partitions that can be read in any order, and again. */
  plan(request: PlanRequest, attempt: Attempt): Promise<SourcePlan>;
  /** Reads one partition from its start. */
  read(request: ReadRequest, attempt: Attempt): Promise<ReadPages>;
  /** Lets go what a pipeline has committed up to this cursor; for sources that keep rows until then. */
  release?(cursor: Cursor, pipeline: string): Promise<void>;
}

/** What the build of a model did. */
export interface Built {
  /** True when a pipeline that the model follows has never committed; nothing was built. */
  readonly skipped: boolean;
  /** Rows of a table; 0 for views. */
  readonly rows: number;
  readonly notes: readonly string[];
}

/** How long the books of a pipeline are kept, in milliseconds. */
export interface Retention {
  readonly project: string;
  readonly pipeline: string;
  readonly rejections: number;
  readonly loads: number;
}

/** The books of a warehouse, for people. Makes or migrates them when they are missing or older. */
export interface Books {
  /** Loads, the latest first: committed ones, and those that were given up. */
  listLoads(query: LoadsQuery, attempt: Attempt): Promise<readonly BookedLoad[]>;
  /** Rejections in the order they were kept; open ones unless all are asked for. */
  listRejections(query: RejectionsQuery, attempt: Attempt): Promise<readonly BookedRejection[]>;
  listStreams(query: BooksQuery, attempt: Attempt): Promise<readonly BookedStream[]>;
  /** Sets where the next read of a stream begins; a load under way is planned again. Throws `not-found`. */
  setCursor(stream: StreamName, cursor: Cursor | null, attempt: Attempt): Promise<void>;
  /** Gives a stream's state, table and books to another name of the same pipeline. Throws `not-found`, `config` when the name is taken. */
  renameStream(stream: StreamName, to: string, attempt: Attempt): Promise<void>;
}

export interface Warehouse extends AsyncDisposable {
  readonly books: Books;
  /** What `load` takes, in order of preference. */
  readonly formats: readonly StagedFormat['kind'][];
  /** Whether it can be loaded, and have books; or only be queried, where nothing is written. */
  check(attempt: Attempt, use?: 'load' | 'query'): Promise<CheckReport>;
  /** The stream's state; makes or migrates the books (`_millrace`) when they are missing or older. */
  state(
    stream: { readonly project: string; readonly pipeline: string; readonly stream: string; readonly target: Target },
    attempt: Attempt,
  ): Promise<StreamState>;
  /**
   * Takes the stream's fence for this load (the same load id gets its epoch back), checks fingerprint, contract and ownership of the
   * target, and makes the load's table. Throws `schema`, `conflict`, `config`.
   */
  prepare(load: Load, attempt: Attempt): Promise<Prepared>;
  /** Puts one file into the load's table, once: a second attempt returns what the first recorded. Throws `staging-lost` when rows or bytes differ from the reference. */
  load(
    load: Load,
    prepared: Prepared,
    file: StagedFile,
    fileNo: number,
    bytes: AsyncIterable<Uint8Array>,
    attempt: Attempt,
  ): Promise<Loaded>;
  /** Delivers the load in one transaction: rows, cursor, rejections and books. A second attempt returns what was committed. Throws `fenced`, `conflict`, `staging-lost`, `schema`, `rejected`. */
  commit(load: Load, prepared: Prepared, manifest: Manifest, rejections: AsyncIterable<Uint8Array>, attempt: Attempt): Promise<Committed>;
  /** Gives up a load: its table goes, a sample of its rejections is kept under its id. */
  discard(
    load: Load,
    prepared: Prepared | undefined,
    rejections: AsyncIterable<Uint8Array>,
    reason: string,
    attempt: Attempt,
  ): Promise<void>;
  /** Builds a model as a view or table, what hangs on it kept, and checks its rules. Throws `config` with the database's message, `rejected`. */
  build(model: ModelDefinition, attempt: Attempt): Promise<Built>;
  /** The rows of a query, from one snapshot: `columns` once it has begun, then bytes as CSV. Throws `config` with the database's message. */
  query(sql: string, attempt: Attempt): Promise<ModelRows & AsyncDisposable>;
  /**
   * A text that changes after each commit to a table that the query reads, sooner or later by itself too; two equal texts mean that nothing
   * was committed between the two calls.
   */
  pulse(sql: string, attempt: Attempt): Promise<string>;
  /** Those of a project's pipelines and models that have never committed anything here; none where the books may not be read. Reads only. */
  neverCommitted(names: { readonly project: string; readonly after: readonly string[] }, attempt: Attempt): Promise<readonly string[]>;
  /** Deletes rejections and books of loads that are older than the retention; the last load of each stream stays. */
  retain(retention: Retention, attempt: Attempt): Promise<void>;
}

/** What a kind of system is: its settings and the roles it plays. `Settings` are resolved: secrets in place of references. */
export interface Connector<Settings> {
  readonly type: string;
  readonly settings: z.ZodType<Settings>;
  /** Options of a stream that this kind reads, under `read`. */
  readonly readOptions?: z.ZodType;
  readonly openSource?: (settings: Settings, name: string) => Promise<Source>;
  readonly openWarehouse?: (settings: Settings, name: string) => Promise<Warehouse>;
  /** Options of an object that this kind writes, under `write` of a sync. */
  readonly writeOptions?: z.ZodType;
  readonly openApplication?: (
    settings: Settings,
    name: string,
    request: ApplicationRequest,
    context: ApplicationContext,
  ) => Promise<Application>;
  /** A database that can hold the books of syncs. */
  readonly openSyncBooks?: (settings: Settings, name: string) => Promise<SyncBooks>;
  /** A warehouse whose datasets the gateway publishes. */
  readonly openDatasets?: (settings: Settings, name: string, options: DatasetsOptions) => Promise<Datasets>;
  /** A warehouse that can hold the books of the gateway. */
  readonly openGatewayBooks?: (settings: Settings, name: string) => Promise<GatewayBooks>;
  /** A warehouse whose commits outgoing webhooks tell of. */
  readonly openWebhookBooks?: (settings: Settings, name: string) => Promise<WebhookBooks>;
}
