import type { ErrorCode } from './errors.ts';
import type { ModelDefinition, PipelineDefinition, StreamDefinition } from './definition.ts';
import type { Counts, StagedFile } from './load.ts';
import type { Target } from './stream.ts';

/** How a run was asked for. */
export interface RunOptions {
  /** `schedule`: a run that finds its streams taken ends as skipped instead of failing. */
  readonly trigger: 'manual' | 'schedule';
  /** Reads everything again and puts it in the place of what was loaded. */
  readonly fullRefresh: boolean;
  /** Reads a window of the cursor again, inclusive and exclusive; never moves the cursor. */
  readonly window?: { readonly from?: string; readonly to?: string };
  /** Takes up the open rejections, of all streams or of one, in place of reading the source; never moves the cursor. */
  readonly retry?: { readonly stream?: string };
}

export interface PipelineRun {
  readonly pipeline: PipelineDefinition;
  readonly options: RunOptions;
}

export interface ModelRun {
  readonly model: ModelDefinition;
}

/** One stream of a run, after wildcards. */
export interface StreamPart {
  readonly stream: string;
  readonly definition: StreamDefinition;
  readonly target: Target;
}

export interface StreamRun {
  readonly pipeline: PipelineDefinition;
  readonly options: RunOptions;
  readonly part: StreamPart;
  /** The load is not to begin before, in milliseconds; the plan waits for it, for a second at most. */
  readonly notBefore?: number;
  /** The load that a continued run goes on with. */
  readonly going?: GoingLoad;
  /** What the run has committed already, when it goes on with reading the keys. */
  readonly committed?: StreamReport;
}

/** A staged file within its load's folder; store and format are in the plan. Short, because a run holds up to 256. */
export interface StagedPart {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** What became of one partition on its way to the load's table. */
export interface PartitionResult {
  readonly no: number;
  readonly file: StagedPart;
  /** Further files of a whole stream; each is loaded as a part of its own. */
  readonly more?: readonly StagedPart[];
  readonly rejections?: StagedPart;
  readonly read: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly duplicates: number;
}

/** What the workflow knows of a plan; the plan itself is a staged file. */
export interface PlanSummary {
  readonly loadId: string;
  readonly plan: StagedFile;
  readonly partitions: number;
  /** Staged files need a transform before the load. */
  readonly transforms: boolean;
  /** The transform needs all partitions at once. */
  readonly wholeStream: boolean;
  readonly estimatedRows: number;
  /** There is nothing to load; the notes say why. */
  readonly idle?: true;
  /** When the load began, in milliseconds, where it was not to begin at any time. */
  readonly startedAt?: number;
  readonly notes: readonly string[];
}

/** A load under way, as continue-as-new hands it on. */
export interface GoingLoad {
  readonly plan: PlanSummary;
  readonly epoch: number;
  readonly table: string;
  readonly notes: readonly string[];
  readonly loaded: readonly PartitionResult[];
  readonly startedAt: number;
}

export interface Failure {
  readonly code: ErrorCode | 'cancelled' | 'bug';
  readonly message: string;
}

/** `taken`: another run was loading the stream; `by` is its workflow. */
type StreamStatus = 'waiting' | 'running' | 'loaded' | 'failed' | 'taken' | 'cancelled';

export interface StreamReport extends Counts {
  readonly stream: string;
  readonly target: string;
  readonly status: StreamStatus;
  /** The step at work: `extract 3/8`. */
  readonly step: string;
  readonly loadId?: string;
  readonly deleted: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly notes: readonly string[];
  readonly failure?: Failure;
  readonly by?: { readonly workflowId: string; readonly runId: string };
}

export interface ModelReport {
  readonly model: string;
  readonly status: 'built' | 'skipped' | 'failed';
  readonly rows: number;
  readonly seconds: number;
  readonly notes: readonly string[];
  readonly failure?: Failure;
}

/** What a run of a pipeline did; the same shape while it goes on, by the query `progress`. */
export interface RunReport {
  readonly pipeline: string;
  readonly status: 'running' | 'succeeded' | 'skipped' | 'failed';
  readonly streams: readonly StreamReport[];
  readonly models: readonly ModelReport[];
  readonly seconds: number;
}
