import type { ConnectionDefinition, PipelineDefinition } from './definition.ts';
import type { SyncDefinition } from './sync-definition.ts';

export interface ConnectionToCheck {
  readonly connection: ConnectionDefinition;
  /**
   * `models`: a database that the models of syncs are read from, with their books elsewhere; nothing is written there. `webhook`: an address
   * that is told of commits; only its secrets are looked up, and nothing is posted.
   */
  readonly role: 'source' | 'warehouse' | 'models' | 'webhook';
}

/** What a project's check looks at. */
export interface CheckRun {
  readonly connections: readonly ConnectionToCheck[];
  readonly pipelines: readonly PipelineDefinition[];
  /** Each with the application that it writes and the database of its books. */
  readonly syncs: readonly SyncDefinition[];
}

/** What was found on one connection, pipeline, sync, warehouse of the gateway or API, as sentences; without problems it works. */
export interface Checked {
  readonly kind: 'connection' | 'pipeline' | 'sync' | 'gateway' | 'api';
  readonly name: string;
  /** `source`, `warehouse`, `models`, `webhook`, or empty. */
  readonly role: string;
  /** Product and version of a connection; streams of a pipeline; what a sync writes; what an API publishes. */
  readonly system: string;
  /** The worker's host, where secrets were looked up. */
  readonly host: string;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}
