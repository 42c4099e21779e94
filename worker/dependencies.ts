import { availableParallelism, hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Dependencies } from '../activities/dependencies.ts';
import { pageAddress } from '../client/names.ts';
import { readStagingKeys } from '../client/payload-keys.ts';
import { connectorOf } from '../connectors/registry.ts';
import { postAlert, postChange, type Message } from '../connectors/webhook/index.ts';
import type { Alert } from '../schema/alert.ts';
import type { ConnectionDefinition } from '../schema/definition.ts';
import { openFolderStaging } from '../staging/folder.ts';
import type { StagingKeys } from '../staging/keys.ts';
import { ingestFolder } from '../staging/ingest-folder.ts';
import { createScrubber, resolveSettings } from './secrets.ts';
import { findStanding } from './standing.ts';

export interface DependencyOptions {
  /** The folder of staging. */
  readonly staging: string;
  /** Where references to secrets are looked up. */
  readonly environment: NodeJS.ProcessEnv;
  /** To find the run that holds a stream; undefined outside a worker. */
  readonly client?: Client;
  /** Address of the Temporal UI, for alerts; `TEMPORAL_UI_URL` where it isn't given. */
  readonly ui?: string;
  /** Takes the values of secrets as they are resolved, for the logs. */
  readonly secrets?: Set<string>;
}

/** Memory that one transform may use before it spills to disk; `MILLRACE_TRANSFORM_MEMORY` says otherwise. */
const defaultTransformMemory = '384MB';

async function findRun(client: Client, workflowId: string): Promise<{ workflowId: string; runId: string } | undefined> {
  try {
    const description = await client.workflow.getHandle(workflowId).describe();
    const parent = description.parentExecution;
    if (parent?.workflowId && parent.runId) return { workflowId: parent.workflowId, runId: parent.runId };
    return { workflowId, runId: description.runId };
  } catch {
    return undefined;
  }
}

/** An alert with the page of its run, where the UI is known. */
function withPage(alert: Alert, { client, ui, environment }: DependencyOptions): Message {
  const address = ui ?? environment['TEMPORAL_UI_URL'];
  if (address === undefined || address === '' || client === undefined || alert.run === undefined || alert.run.workflowId === '')
    return alert;
  return { ...alert, page: pageAddress(address, client.options.namespace, alert.run.workflowId, alert.run.runId) };
}

/** Signatures are the gateway's; a worker needs no secret of theirs. */
function withoutSignature(connection: ConnectionDefinition): ConnectionDefinition {
  if (connection.type !== 'ingest') return connection;
  const { verify: _, ...settings } = connection.settings;
  return { ...connection, settings };
}

/** An ingest connection reads below staging what the gateway of the project has put there. */
function withFolder(settings: unknown, { type, name }: ConnectionDefinition, project: string | undefined, place: StagingPlace): unknown {
  if (type !== 'ingest' || project === undefined || typeof settings !== 'object') return settings;
  return { ...settings, folder: ingestFolder(resolve(place.folder), project, name), keys: place.keys };
}

interface StagingPlace {
  readonly folder: string;
  readonly keys: StagingKeys | undefined;
}

/** What activities work with, over one staging folder and one environment. */
export async function openDependencies(options: DependencyOptions): Promise<Dependencies> {
  const { environment, client } = options;
  const secrets = options.secrets ?? new Set<string>();
  const resolved = async (connection: ConnectionDefinition): Promise<unknown> => {
    const found = await resolveSettings(connection, { environment, host: hostname() });
    for (const secret of found.secrets) secrets.add(secret);
    return found.settings;
  };
  const keys = await readStagingKeys(environment);
  return {
    staging: await openFolderStaging(options.staging, {
      keys,
      scratch: environment['MILLRACE_STAGING_SCRATCH'],
    }),
    openSource: async (connection, project) =>
      await connectorOf(connection.type, connection.name).openSource(
        withFolder(await resolved(withoutSignature(connection)), connection, project, { folder: options.staging, keys }),
        connection.name,
      ),
    openWarehouse: async (connection) =>
      await connectorOf(connection.type, connection.name).openWarehouse(await resolved(connection), connection.name),
    openApplication: async (connection, request, context) =>
      await connectorOf(connection.type, connection.name).openApplication(await resolved(connection), connection.name, request, context),
    openSyncBooks: async (connection) =>
      await connectorOf(connection.type, connection.name).openSyncBooks(await resolved(connection), connection.name),
    openWebhookBooks: async (connection) =>
      await connectorOf(connection.type, connection.name).openWebhookBooks(await resolved(connection), connection.name),
    transformMemory: environment['MILLRACE_TRANSFORM_MEMORY'] ?? defaultTransformMemory,
    transformThreads: Math.min(availableParallelism(), 4),
    scrub: (text) => createScrubber([...secrets])(text),
    findRun: async (workflowId) => (client === undefined ? undefined : await findRun(client, workflowId)),
    findStanding: async (project, name) =>
      client === undefined ? { lastSuccess: null, underWay: [] } : await findStanding(client, project, name),
    postAlert: async ({ to, template }, alert, signal) =>
      await postAlert(await resolved(to), withPage(alert, options), { name: to.name, template, signal }),
    lookUp: async (connection) => void (await resolved(connection)),
    postChange: async (to, change, signal) => await postChange(await resolved(to), change, { name: to.name, signal }),
  };
}
