import type { AlertDefinition } from './definition.ts';

/** What a watch is started with. */
export interface WatchRun {
  readonly project: string;
  readonly name: string;
  /** Milliseconds without a success after which the pipeline is late. */
  readonly expectEvery: number;
  readonly alerts: readonly AlertDefinition[];
}

/** How a pipeline stands, as Temporal knows it. */
export interface Standing {
  /** Milliseconds since 1970; null when no success is known. */
  readonly lastSuccess: number | null;
  /** Runs under way, and what they wait for. */
  readonly underWay: readonly { readonly workflowId: string; readonly runId: string; readonly sentence: string }[];
}
