/** How a step runs: its cancellation, its name at the other side, and where it reports durable progress. */
export interface Attempt {
  /** Aborted when the step is cancelled or timed out; drivers stop their work (`pg_cancel_backend`, `interrupt`) and throw. */
  readonly signal: AbortSignal;
  /** Names the step across its attempts: `millrace:<load id>:<step>:<no>`; sessions carry it, at most 63 bytes. */
  readonly name: string;
  /** Called after durable progress, or while a long statement is proved alive; small JSON. */
  beat(progress?: unknown): void;
  /** When nothing may have an effect any more, in milliseconds of `performance.now()`: another attempt may have taken over by then. */
  readonly until?: number;
}

/** What `check` of a connection found; empty problems mean that it works. */
export interface CheckReport {
  /** Product and version, for people. */
  readonly system: string;
  /** Sentences: what doesn't work and the remedy (a missing grant with its GRANT). */
  readonly problems: readonly string[];
  /** Sentences: what works less well than it could, and how to mend it. */
  readonly warnings: readonly string[];
}
