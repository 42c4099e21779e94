import type { ConnectionDefinition, PipelineDefinition } from './definition.ts';

export interface ConnectionToCheck {
  readonly connection: ConnectionDefinition;
  readonly role: 'source' | 'warehouse';
}

/** What a project's check looks at. */
export interface CheckRun {
  readonly connections: readonly ConnectionToCheck[];
  readonly pipelines: readonly PipelineDefinition[];
}

/** What was found on one connection or pipeline, as sentences; without problems it works. */
export interface Checked {
  readonly kind: 'connection' | 'pipeline';
  readonly name: string;
  /** `source`, `warehouse`, or empty. */
  readonly role: string;
  /** Product and version of a connection; streams of a pipeline. */
  readonly system: string;
  /** The worker's host, where secrets were looked up. */
  readonly host: string;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}
