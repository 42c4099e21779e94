import type { Application, ApplicationContext, ApplicationRequest } from '../connectors/application.ts';
import type { Source, Warehouse } from '../connectors/connector.ts';
import type { SyncBooks } from '../connectors/sync-books.ts';
import type { SignedChange } from '../connectors/webhook/index.ts';
import type { WebhookBooks } from '../connectors/webhook-books.ts';
import type { Alert } from '../schema/alert.ts';
import type { AlertDefinition, ConnectionDefinition } from '../schema/definition.ts';
import type { Posted } from '../schema/webhook.ts';
import type { Standing } from '../schema/watch.ts';
import type { Staging } from '../staging/staging.ts';

/** What the worker gives to activities. Connections are opened with their secrets resolved, for one step each. */
export interface Dependencies {
  readonly staging: Staging;
  /** `project`: whose staging holds what a gateway has gathered for the source. */
  openSource(connection: ConnectionDefinition, project?: string): Promise<Source>;
  openWarehouse(connection: ConnectionDefinition): Promise<Warehouse>;
  openApplication(connection: ConnectionDefinition, request: ApplicationRequest, context: ApplicationContext): Promise<Application>;
  openSyncBooks(connection: ConnectionDefinition): Promise<SyncBooks>;
  openWebhookBooks(connection: ConnectionDefinition): Promise<WebhookBooks>;
  /** DuckDB's share of the worker: `384MB`, and threads. */
  readonly transformMemory: string;
  readonly transformThreads: number;
  /** Removes secrets of a text that goes to logs or Temporal. */
  scrub(text: string): string;
  /** The run that a workflow id is busy with: its parent when it has one. */
  findRun(workflowId: string): Promise<{ workflowId: string; runId: string } | undefined>;
  /** How a pipeline stands. */
  findStanding(project: string, name: string): Promise<Standing>;
  /** Posts an alert to its webhook; false when the webhook has no url. */
  postAlert(definition: AlertDefinition, alert: Alert, signal: AbortSignal): Promise<boolean>;
  /** Looks the secrets of a connection up. Throws `auth` naming what is missing. */
  lookUp(connection: ConnectionDefinition): Promise<void>;
  /** Posts a change, signed, to a webhook. */
  postChange(to: ConnectionDefinition, change: SignedChange, signal: AbortSignal): Promise<Posted>;
}
