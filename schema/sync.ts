import type { Column } from './column.ts';
import type { SyncDefinition } from './sync-definition.ts';
import type { Failure } from './run.ts';

/** What one request does to one object of an application. `add` and `remove` are memberships of a list or audience. */
export const operations = ['create', 'update', 'upsert', 'delete', 'archive', 'add', 'remove'] as const;
export type Operation = (typeof operations)[number];

/**
 * How a write whose answer is missing is settled. `upsert`: sent again, for it has the same effect once or twice. `idempotency-key`: sent
 * again under the same key. `lookup`: looked up first. `none`: by the sync's own policy.
 */
export type Settling = 'upsert' | 'idempotency-key' | 'lookup' | 'none';

/** Why a row is in a plan: new in the model, changed, or gone from it, since it was acknowledged. */
export type PlannedChange = 'added' | 'changed' | 'removed';

/** Which operation each change becomes; a change without one is not sent. */
export type OperationsByChange = Readonly<Partial<Record<PlannedChange, Operation>>>;

/** How a run of a sync was asked for. */
export interface SyncOptions {
  /** `continuous`: waits a while for a change of what the model reads, and ends as skipped when there was none. */
  readonly trigger: 'manual' | 'schedule' | 'continuous';
  /** Sends every row of the model again, whatever the ledger has. */
  readonly full: boolean;
  /** Takes up all open rejections at once, without their back-off. */
  readonly retry: boolean;
  /** A changed mapping may send rows again. */
  readonly resend: boolean;
  /** What is to be thought of rows whose outcome stayed unknown: `sent` puts them into the ledger, `lost` plans them again. */
  readonly unknown?: 'sent' | 'lost';
}

export interface SyncRun {
  readonly sync: SyncDefinition;
  readonly options: SyncOptions;
}

/** One run's part in the books; fixed by the workflow before its first step. */
export interface SyncRunName {
  readonly project: string;
  readonly sync: string;
  /** A UUID. */
  readonly runId: string;
  readonly workflowId: string;
  readonly workflowRunId: string;
}

/** Rows of a run. When it has ended, planned = acknowledged + rejected + unknown; invalid rows are never planned. */
export interface SyncCounts {
  readonly planned: number;
  /** Handed to the application at least once. */
  readonly sent: number;
  readonly acknowledged: number;
  readonly rejected: number;
  readonly unknown: number;
  /** Refused before anything was sent: no key, or one that is not unique. */
  readonly invalid: number;
}

export const noSyncCounts: SyncCounts = { planned: 0, sent: 0, acknowledged: 0, rejected: 0, unknown: 0, invalid: 0 };

/** What a plan found; its rows stay in the warehouse. */
export interface SyncPlan {
  readonly counts: SyncCounts;
  /** Planned rows by operation. */
  readonly operations: Readonly<Partial<Record<Operation, number>>>;
  /** Planned rows that were refused before. */
  readonly again: number;
  /** Types of the match and mapped columns, in the definition's order: match first. */
  readonly columns: readonly Column[];
  /** Rows of the model, and of the ledger before the run. */
  readonly modelRows: number;
  readonly ledgerRows: number;
  /** A pipeline or model that the sync's model follows has never run; nothing was planned. */
  readonly waits?: string;
  /** The application may still work on jobs of an earlier run; nothing was planned. */
  readonly left?: LeftJobs;
  readonly notes: readonly string[];
}

/** A job that an application works on by itself, over some rows of a plan. */
export interface SyncJob {
  /** The application's own text; no secrets. */
  readonly handle: string;
  readonly operation: Operation;
  /** Numbers of its rows in the plan, as ranges, both ends inclusive. */
  readonly rows: readonly (readonly [number, number])[];
}

/** Jobs that a run left behind, with what is needed to ask about them. */
export interface LeftJobs {
  readonly run: SyncRunName;
  /** Parts of the definition that the run had. */
  readonly of: Pick<SyncDefinition, 'object' | 'match' | 'map' | 'mode' | 'write'>;
  /** Of its plan. */
  readonly columns: readonly Column[];
  readonly counts: SyncCounts;
  readonly jobs: readonly SyncJob[];
}

/** Where sending stands, handed from step to step; small. */
export interface SyncProgress {
  /** Rows before this number have an outcome or belong to a job. */
  readonly position: number;
  readonly jobs: readonly SyncJob[];
  readonly counts: SyncCounts;
  /** True when every row was sent or belongs to a job. */
  readonly sent: boolean;
  /** Milliseconds until it is worth asking about the jobs. */
  readonly after: number;
  /** Nothing more can be sent, but there are jobs whose results are to be fetched. */
  readonly failure?: Failure;
}

/** A delivery under way, as continue-as-new hands it on. */
export interface GoingSync {
  readonly name: SyncRunName;
  readonly plan: SyncPlan;
  readonly progress: SyncProgress;
  /** How often rows of ended jobs had to be sent again. */
  readonly rounds: number;
  readonly startedAt: number;
}

/** What the workflow is started with that plans and sends one sync's rows. */
export interface DeliverRun extends SyncRun {
  readonly going?: GoingSync;
}

/** What a run of a sync did; the same shape while it goes on, by the query `progress`. */
export interface SyncReport extends SyncCounts {
  readonly sync: string;
  readonly status: 'waiting' | 'running' | 'succeeded' | 'skipped' | 'failed';
  /** Planned rows that were refused before. */
  readonly again?: number;
  /** The step at work: `send 2,000/10,000`. */
  readonly step: string;
  readonly operations: SyncPlan['operations'];
  readonly jobs: number;
  readonly seconds: number;
  readonly notes: readonly string[];
  readonly failure?: Failure;
  /** The definition and the state of the warehouse (`pulse`) that a continuous run planned from; the next one waits for another. */
  readonly pulse?: string;
  /** When the first refused row may be sent again, in milliseconds since 1970. */
  readonly retryAt?: number;
  /** Continuous runs in a row that failed; the next waits longer each time. */
  readonly failures?: number;
}
