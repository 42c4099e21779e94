import { Client } from '@temporalio/client';
import { NativeConnection, type Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { temporalConfig } from '../client/connection.ts';
import { taskQueueOf } from '../client/names.ts';
import { dataConverterOf } from '../client/payload-codec.ts';
import { readPayloadKeys } from '../client/payload-keys.ts';
import { workflowBundle } from './bundle.ts';
import { openDependencies } from './dependencies.ts';
import { createWorker } from './worker.ts';

export interface RunWorkerOptions {
  readonly project: string;
  /** Address of the local Temporal server, where the environment names none. */
  readonly temporal: string | undefined;
  readonly staging: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly taskQueue?: string;
  readonly bundle?: WorkflowBundleOption;
  /** Address of the Temporal UI, for alerts. */
  readonly ui?: string;
  /** Takes the values of secrets as they are resolved, for the logs. */
  readonly secrets?: Set<string>;
}

/** A worker that is ready to run, with the connection that it owns. */
export interface OpenWorker extends AsyncDisposable {
  readonly worker: Worker;
  /** A client over the worker's connection. */
  readonly client: Client;
}

/** Opens a project's worker; `worker.run()` starts it, and disposing closes its connection after it has stopped. */
export async function openWorker(options: RunWorkerOptions): Promise<OpenWorker> {
  const { connectionOptions, namespace = 'default' } = temporalConfig(options.temporal);
  const keys = await readPayloadKeys(options.environment);
  const dataConverter = dataConverterOf(keys);
  const connection = await NativeConnection.connect(connectionOptions);
  try {
    const client = new Client({ connection, namespace, dataConverter });
    const worker = await createWorker({
      connection,
      namespace,
      taskQueue: options.taskQueue ?? taskQueueOf(options.project),
      dependencies: await openDependencies({ ...options, client }),
      workflowBundle: options.bundle ?? (await workflowBundle(keys === undefined ? 'clear' : 'encoded')),
      dataConverter,
    });
    return { worker, client, [Symbol.asyncDispose]: () => connection.close() };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
