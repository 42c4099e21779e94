import type { FastifyInstance } from 'fastify';
import type { GatewayBooks } from '../connectors/gateway-books.ts';
import type { DatasetRead, DatasetRequest } from '../schema/dataset.ts';
import type { GatewayDefinition } from '../schema/gateway-definition.ts';
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
  readonly request: () => DatasetRequest;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly body: string;
  /** Of the body; quoted, strong. */
  readonly etag: string;
  readonly cached: boolean;
}

/** Answers from kept ones, from an equal request under way, or from the warehouse; refuses (503) when too many wait. */
export interface Answers {
  read(call: AnswerCall): Promise<Answer>;
  export(call: Omit<AnswerCall, 'request'> & { readonly read: DatasetRead; readonly format: 'ndjson' | 'csv' }): AsyncIterable<Uint8Array>;
}

/** Limits of requests; each throws 429 with `retry-after`. */
export interface Limits {
  /** Counts a request of the caller on one API; gives the headers to answer with. */
  take(api: string, caller: Caller): Promise<Readonly<Record<string, string>>>;
}

export interface GatewayLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** What the gateway has Temporal do. */
export interface Runs {
  /** Wakes the workflow that loads what an ingest connection has gathered, or starts it. */
  wakeIngest(connection: string): Promise<void>;
  /** Wakes the workflow that delivers an outgoing webhook, or starts it. */
  wakeWebhook(name: string): Promise<void>;
  /** Starts a run of a pipeline, model or sync; joins one that is under way. */
  start(name: string): Promise<{ readonly workflowId: string; readonly runId: string }>;
}

/** What the parts of the gateway work with. */
export interface GatewayContext {
  /** Secrets are resolved. */
  readonly definition: GatewayDefinition;
  readonly catalog: Catalog;
  readonly answers: Answers;
  readonly limits: Limits;
  readonly books: GatewayBooks;
  readonly runs: Runs;
  /** Folder of the project's staging. */
  readonly staging: string;
  readonly log: GatewayLog;
  /** Aborted when the gateway drains: streams end then. */
  readonly draining: AbortSignal;
  /** Adds to a counter of `/metrics`, made at its first use: `millrace_gateway_…`. */
  count(name: string, labels: Readonly<Record<string, string>>, by?: number): void;
}

/** A part of the gateway: puts its routes on the server. Every route has `config: { access }`, or the server refuses to start. */
export type Part = (server: FastifyInstance, context: GatewayContext) => void | Promise<void>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before handlers run, but for public routes and pages; `anonymous` where an API has that role. */
    caller: Caller;
  }
  interface FastifyContextConfig {
    access?: Access;
  }
}
