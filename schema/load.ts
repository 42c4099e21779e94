import type { Column } from './column.ts';
import type { Cursor, Target } from './stream.ts';
import type { StreamDefinition } from './definition.ts';
import type { StagedFormat } from './staged-format.ts';

export type { FileDialect, StagedFormat } from './staged-format.ts';

/** An immutable, complete file in staging. */
export interface StagedFile {
  /** Id of the store that holds it; a worker with another store is found out by it. */
  readonly store: string;
  /** Path inside the store: `<project>/<pipeline>/<stream>/<load id>/<name>`, each part made safe. */
  readonly name: string;
  readonly format: StagedFormat;
  /** -1 where it isn't known yet (a file from outside before it was parsed). */
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** Rows by what became of them. `read = loaded + rejected + filtered + duplicates + unchanged` holds for each load. */
export interface Counts {
  readonly read: number;
  readonly loaded: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly duplicates: number;
  readonly unchanged: number;
}

/** Columns of a staged rejections file, in this order, all text. */
export const rejectionColumns = ['partition', 'file', 'position', 'key', 'column', 'rule', 'reason', 'row'] as const;

/**
 * One stream in one run, delivered by one commit. The workflow fixes `id`, `expectedVersion` and `generation`
 * before the first attempt; no attempt reads them again.
 */
export interface Load {
  readonly id: string;
  readonly project: string;
  readonly pipeline: string;
  /** Name of the stream, as the source spells it. */
  readonly stream: string;
  readonly target: Target;
  readonly definition: StreamDefinition;
  /** What is delivered, in the order of the staged files. */
  readonly columns: readonly Column[];
  /** Version of the state that the plan read; 0 when there was none. */
  readonly expectedVersion: number;
  readonly generation: number;
  /** Where the next read begins, stored by the commit; null leaves the cursor as it is (windows, streams without one). */
  readonly cursor: Cursor | null;
  /** True when the files hold the stream completely, from one enumeration: deletes may be inferred. */
  readonly complete: boolean;
  /** The files hold the stream's keys alone: target rows without one of them are gone from the source, and nothing else is delivered. */
  readonly reconciles?: true;
  /** Rejections that this load takes up again, which its commit closes: their ids by partition and position in it. */
  readonly retries?: readonly (readonly string[])[];
  /** Rows may come again under the same key: an append drops those, within the load and against the target. */
  readonly repeats?: true;
  readonly fingerprint: Fingerprint;
  /** Workflow and run id, for the books. */
  readonly workflowId: string;
  readonly runId: string;
}

/** What the state of a stream hangs on; a later run with another one is refused, but for `transform`, which only warns. */
export interface Fingerprint {
  readonly source: string;
  readonly stream: string;
  readonly cursor: string | null;
  readonly key: readonly string[];
  readonly mode: string;
  readonly target: string;
  readonly transform: string;
}

/** The state of a stream as the warehouse keeps it. */
export interface StreamState {
  readonly version: number;
  readonly generation: number;
  readonly cursor: Cursor | null;
  readonly fingerprint: Fingerprint | null;
  /** False when the target table is missing although the state says it was loaded. */
  readonly targetExists: boolean;
}

export interface Prepared {
  readonly epoch: number;
  /** The load's own table, qualified and quoted. */
  readonly table: string;
  /** Sentences for the run page: columns added, types widened, sessions that hold a bound back. */
  readonly notes: readonly string[];
}

/** What one file's load did; a second attempt returns what the first recorded. */
export interface Loaded {
  readonly rows: number;
  readonly bytes: number;
}

/** The files of a load and what transform counted, as the commit checks and books them. */
export interface Manifest {
  readonly files: readonly { readonly no: number; readonly rows: number; readonly sha256: string }[];
  readonly rejections: readonly StagedFile[];
  readonly read: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly duplicates: number;
}

export interface Committed extends Counts {
  readonly version: number;
  readonly deleted: number;
  readonly notes: readonly string[];
  /** The last complete read of the keys is longer ago than the stream's `reconcileEvery`. */
  readonly reconcile?: true;
}
