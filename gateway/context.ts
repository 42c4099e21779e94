import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { AuditEntry, Change, GatewayBooks } from '../connectors/gateway-books.ts';
import type { DatasetRead, DatasetRequest, DatasetRow } from '../schema/dataset.ts';
import type { GatewayDefinition } from '../schema/gateway-definition.ts';
import type { IngestPending } from '../schema/ingest.ts';
import type { StagingKeys } from '../staging/keys.ts';
import type { Access, Caller } from './caller.ts';
import type { Catalog } from './catalog.ts';

export interface AnswerCall {
  /** Name of the warehouse's connection. */
  readonly warehouse: string;
  /** Names of the APIs that are read: the shortest `cache.ttl` of them counts, and an API without `cache` keeps nothing. */
  readonly apis: readonly string[];
  /** Tables that are read, as `schema.table`: a commit to one of them ends a kept answer. */
  readonly reads: readonly string[];
  /** What was asked, apart from who asks: the path with its parameters, or the query with its variables. */
  readonly question: string;
  readonly caller: Caller;
  /** Only called when no kept answer is there. */
  readonly request: () => DatasetRequest | DatasetRow;
  /** Made of the body once, and kept with it: `Answer.link`. */
  readonly linkOf?: (body: string) => string | undefined;
}

/** An export; it ends when `signal` says so. */
interface ExportCall extends Omit<AnswerCall, 'request' | 'linkOf'> {
  readonly read: DatasetRead;
  readonly format: 'ndjson' | 'csv';
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly body: string;
  /** Of the body; quoted, strong. */
  readonly etag: string;
  /** The Link header. */
  readonly link: string | undefined;
  readonly cached: boolean;
  /** Where it came from, for the access log: `request.noted.cache`. */
  readonly state: 'hit' | 'miss' | 'joined' | 'off';
}

/** Answers from kept ones, from an equal request under way, or from the warehouse; refuses (503) when too many wait. */
export interface Answers {
  /** At once where it is kept in memory. */
  read(call: AnswerCall): Answer | Promise<Answer>;
  export(call: ExportCall): AsyncIterable<Uint8Array>;
}

/** Limits of requests; each throws 429 with `retry-after`. */
export interface Limits {
  /**
   * Counts a request of the caller on one API; gives the headers to answer with. Routes that are no API's are named as their scope is:
   * `changes`, `ingest:<connection>`, `trigger:<name>`; those of all APIs `graphql`, `openapi`. At once where gateways share no counts.
   */
  take(api: string, caller: Caller): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
}

/** The audit log, written within a second or so; while the books are away it waits in memory. Reads are in the access log alone. */
export interface AuditLog {
  /** What was done or refused: `ingest`, `trigger`, `api.export`, … Values of rows and secrets are not in it. */
  add(entry: Omit<AuditEntry, 'project' | 'at'>): void;
  /** The same for what is done often: what is equal within a second is one entry, with its `count`. */
  count(entry: Omit<AuditEntry, 'project' | 'at'>): void;
}

export interface GatewayLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** What the gateway has Temporal do. */
export interface Runs {
  /** Wakes the workflow that loads what an ingest connection has gathered, or starts it. */
  wakeIngest(connection: string, pending?: IngestPending): Promise<void>;
  /** Wakes the workflow that delivers an outgoing webhook, or starts it. */
  wakeWebhook(name: string): Promise<void>;
  /** Starts a run of a pipeline, model or sync; joins one that is under way, and says so. */
  start(name: string): Promise<{ readonly workflowId: string; readonly runId: string; readonly joined?: boolean }>;
}

/** Commits to tables of a warehouse as this gateway hears of them. */
export interface ChangesFeed {
  /** False while commits may be missed. */
  readonly isLive: boolean;
  /** Id of the last change that was heard of. */
  readonly position: bigint;
  /** Of the last change to any of these tables, or where listening began. No tables: of the last change at all. */
  lastChange(tables: readonly string[]): bigint;
  /** Calls the listener with each change, in order; the function that it gives ends that. */
  onChange(listener: (change: Change) => void): () => void;
}

/** What the parts of the gateway work with. */
export interface GatewayContext {
  /** Secrets are resolved. */
  readonly definition: GatewayDefinition;
  readonly catalog: Catalog;
  /** Looks for the APIs that are missing, where they can be looked for: a commit may have made them. Rejects never. */
  readonly lookForMissing: () => Promise<void>;
  readonly answers: Answers;
  readonly limits: Limits;
  readonly audit: AuditLog;
  readonly books: GatewayBooks;
  /** Of the first warehouse, which has the books. */
  readonly changes: ChangesFeed;
  /** What gateways share; undefined without `gateway.redis`. Commands on it may fail at any time. */
  readonly redis: Redis | undefined;
  readonly runs: Runs;
  /** Folder of the project's staging. */
  readonly staging: string;
  /** Encrypt what is put there. */
  readonly stagingKeys?: StagingKeys | undefined;
  readonly log: GatewayLog;
  /** Aborted when the gateway drains: streams without an end of their own end then. */
  readonly draining: AbortSignal;
  /** Adds to a counter of `/metrics`, made at its first use: `millrace_gateway_…`. */
  count(name: string, labels: Readonly<Record<string, string>>, by?: number): void;
  /** Adds a number to `/metrics` that is read whenever they are asked for. */
  gauge(name: string, labels: Readonly<Record<string, string>>, read: () => number): void;
}

/** A part of the gateway: puts its routes on the server. Every route has `config: { access }`, or the server refuses to start. */
export type Part = (server: FastifyInstance, context: GatewayContext) => void | Promise<void>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before handlers run, but for public routes and pages; `anonymous` where an API has that role. */
    caller: Caller;
    /** For the access log. */
    noted: { api?: string; cache?: Answer['state']; gone?: boolean; bytes?: number };
  }
  interface FastifyContextConfig {
    access?: Access;
  }
}
