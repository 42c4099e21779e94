import type { Operation, PlannedChange, SyncCounts } from './sync.ts';

/** A key whose last outcome isn't an acknowledgement. */
export interface OpenRow {
  readonly key: string;
  /** `sent`: handed over, the answer is missing. `invalid`: refused before anything was sent. */
  readonly outcome: 'rejected' | 'unknown' | 'sent' | 'invalid';
  readonly operation: Operation | null;
  readonly reason: string | null;
  readonly code: string | null;
  readonly requestId: string | null;
  readonly attempts: number;
  /** ISO 8601, UTC. */
  readonly firstAt: string;
  readonly at: string;
  /** When it is planned again; null: only when its row changes, or when somebody says so. */
  readonly nextAt: string | null;
}

/** A run of a sync as the books have it. */
export interface BookedSyncRun extends SyncCounts {
  readonly sync: string;
  readonly runId: string;
  readonly status: 'running' | 'succeeded' | 'failed';
  readonly failure: string | null;
  readonly workflowId: string;
  readonly workflowRunId: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/** A row that a run would send, with its values by field. */
export interface PreviewRow {
  readonly key: string;
  readonly change: PlannedChange;
  readonly operation: Operation;
  readonly values: Readonly<Record<string, unknown>>;
  /** Fields that differ from what was acknowledged; null: all. */
  readonly changed: readonly string[] | null;
}

/** What a run would do. */
export interface SyncPreview {
  readonly modelRows: number;
  readonly ledgerRows: number;
  readonly operations: Readonly<Partial<Record<Operation, number>>>;
  /** Rows planned again because they were refused before. */
  readonly again: number;
  readonly unchanged: number;
  /** Rejected rows whose back-off isn't over, and rows that are parked as unknown. */
  readonly waiting: number;
  /** Reason to the number of rows that it makes invalid, with a few keys. */
  readonly invalid: readonly { readonly reason: string; readonly rows: number; readonly keys: readonly string[] }[];
  /** Fields to be sent, of all rows; with `changedOnly` those that changed. */
  readonly fields: number;
  /** Bytes of the rows to be sent, as JSON. */
  readonly bytes: number;
  readonly samples: readonly PreviewRow[];
  readonly notes: readonly string[];
}

export interface LogEntry {
  readonly at: string;
  readonly runId: string;
  readonly operation: Operation | null;
  readonly outcome: string;
  readonly reason: string | null;
  readonly requestId: string | null;
}

/** Why a row was or wasn't sent. */
export interface Explanation {
  readonly key: string;
  /** One or two sentences. */
  readonly verdict: string;
  /** The row's values by column, as the model has it now; null when it has none. */
  readonly model: Readonly<Record<string, unknown>> | null;
  readonly acknowledged: { readonly at: string; readonly remoteId: string | null } | null;
  readonly open: OpenRow | null;
  /** What the next run does with it; null: nothing. */
  readonly planned: PreviewRow | null;
  /** The latest first. */
  readonly log: readonly LogEntry[];
}
