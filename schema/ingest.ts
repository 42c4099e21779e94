import type { PipelineDefinition } from './definition.ts';
import type { Failure, GoingLoad } from './run.ts';

/** What waits in the folder of an ingest connection. */
export interface IngestPending {
  readonly segments: number;
  readonly bytes: number;
}

/** Tells that there are events to load. */
export interface IngestWake {
  /** Of the definition that the sender has. */
  readonly hash: string;
  /** The definition, where the sender hasn't sent it yet. */
  readonly pipeline?: PipelineDefinition;
  readonly pending?: IngestPending;
  /** Somebody asks for it and waits: after a failure too it is tried at once. */
  readonly now?: true;
}

/** One load of events, for people. */
export interface IngestLoad {
  /** ISO 8601. */
  readonly at: string;
  readonly loaded: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly seconds: number;
}

/** Rejections that were taken up again. */
export interface IngestRetry {
  /** What the signals that it answers named it. */
  readonly ids: readonly string[];
  readonly loaded: number;
  readonly rejected: number;
  readonly notes: readonly string[];
  readonly failure?: Failure;
}

/** What the workflow of a pipeline of events did and waits for; by the query `ingestProgress`. */
export interface IngestReport {
  readonly status: 'idle' | 'loading' | 'waiting' | 'paused';
  /** The step at work. */
  readonly step: string;
  readonly loads: number;
  readonly loaded: number;
  readonly duplicates: number;
  readonly rejected: number;
  /** The latest first. */
  readonly last: readonly IngestLoad[];
  readonly pending?: IngestPending;
  readonly failure?: Failure;
  /** What became of the last retry of rejections. */
  readonly retried?: IngestRetry;
  /** The pipeline itself says how often events are expected: that none come is no success. */
  readonly expectsEvents?: true;
  /** Of the last load: what deserves attention. */
  readonly notes?: readonly string[];
  /** Why it is paused. */
  readonly note?: string;
}

/** Loads the events of a connection whenever it is woken; what it knows is handed on when its history gets long. */
export interface IngestRun {
  readonly pipeline: PipelineDefinition;
  readonly hash: string;
  readonly going?: GoingLoad;
  readonly woken?: boolean;
  readonly report?: IngestReport;
  /** Loads that failed in a row. */
  readonly failures?: number;
  /** When models that follow were last built, in milliseconds. */
  readonly builtAt?: number;
  /** Loads were committed since. */
  readonly unbuilt?: boolean;
  /** When the last load began, in milliseconds. */
  readonly startedAt?: number;
  readonly paused?: boolean;
  /** Names of retries that are asked for. */
  readonly retries?: readonly string[];
  /** `going` is of these. */
  readonly retrying?: readonly string[];
}
