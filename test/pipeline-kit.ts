import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, type WorkflowBundleOption } from '@temporalio/worker';
import pg from 'pg';
import type { Dependencies } from '../activities/dependencies.ts';
import { taskQueueOf } from '../client/names.ts';
import { dataConverterOf } from '../client/payload-codec.ts';
import type { PayloadKeys } from '../client/payload-keys.ts';
import { runOutcome, startRun, type Runnable, type RunOutcome } from '../client/runs.ts';
import type { ModelDefinition, PipelineDefinition, StreamDefinition } from '../schema/definition.ts';
import type { RunOptions } from '../schema/run.ts';
import { bundle, type Failures } from '../worker/bundle.ts';
import { openDependencies } from '../worker/dependencies.ts';
import { createWorker } from '../worker/worker.ts';
import { defineStream } from './kits/stream-definition.ts';
import { temporalAddress } from './servers.ts';

const bundled: Partial<Record<Failures, Promise<WorkflowBundleOption>>> = {};

/** The workflow bundle, made once in a test run. */
export const testBundle = (failures: Failures = 'clear'): Promise<WorkflowBundleOption> => (bundled[failures] ??= bundle(failures));

/** Lets workers of this process say errors only, and leaves signals to mocha. */
export function quietRuntime(): void {
  if (Runtime._instance === undefined) Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
}

/** A project with a worker of its own, in this process. */
export interface TestProject extends AsyncDisposable {
  readonly project: string;
  readonly folder: string;
  readonly client: Client;
  pipeline(name: string, settings: PipelineSettings): PipelineDefinition;
  run(definition: PipelineDefinition | ModelDefinition, options?: Partial<RunOptions>): Promise<RunOutcome>;
}

export interface PipelineSettings {
  /** A PostgreSQL URL, or a folder. */
  readonly from: string;
  readonly to: string;
  readonly schema?: string;
  readonly streams: readonly (Partial<StreamDefinition> & { readonly stream: string })[];
  readonly more?: Partial<PipelineDefinition>;
}

function connectionOf(name: string, address: string): PipelineDefinition['from'] {
  return address.startsWith('postgres')
    ? { name, type: 'postgres', settings: { type: 'postgres', url: address } }
    : { name, type: 'files', settings: { type: 'files', path: address } };
}

/** A pipeline's definition as the client would make it, with defaults for what a test doesn't care about. */
export function pipelineOf(project: string, name: string, settings: PipelineSettings): PipelineDefinition {
  return {
    format: 1,
    project,
    name,
    from: connectionOf('source', settings.from),
    to: connectionOf('warehouse', settings.to),
    schema: settings.schema ?? 'landed',
    streams: settings.streams.map((stream) => defineStream(stream)),
    parallelStreams: 4,
    parallelPartitions: 1,
    partitionBytes: 32 * 1024 * 1024,
    models: [],
    alerts: [],
    retention: { rejections: 90 * 86_400_000, loads: 90 * 86_400_000, stagedLoads: 3 },
    heartbeatTimeout: 60_000,
    ...settings.more,
  };
}

const runnableOf = (definition: PipelineDefinition | ModelDefinition): Runnable =>
  'streams' in definition ? { kind: 'pipeline', definition } : { kind: 'model', definition };

export interface WorkerPlace {
  /** Encrypts what Temporal stores. */
  readonly keys?: PayloadKeys;
  /** Where references to secrets are looked up; the process's own when not given. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Changes what the worker gives to activities. */
  readonly wrap?: (dependencies: Dependencies) => Dependencies;
}

/** Starts a worker on a project of a unique name. */
export async function openProject(
  prefix = 'test',
  { keys, environment = process.env, wrap = (same) => same }: WorkerPlace = {},
): Promise<TestProject> {
  const project = `${prefix}-${randomBytes(5).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), 'millrace-project-'));
  quietRuntime();
  const address = await temporalAddress();
  const [native, connection] = await Promise.all([NativeConnection.connect({ address }), Connection.connect({ address })]);
  const dataConverter = dataConverterOf(keys);
  const client = new Client({ connection, dataConverter });
  const worker = await createWorker({
    connection: native,
    namespace: 'default',
    taskQueue: taskQueueOf(project),
    dependencies: wrap(await openDependencies({ staging: join(folder, 'staging'), environment, client })),
    workflowBundle: await testBundle(keys === undefined ? 'clear' : 'encoded'),
    dataConverter,
  });
  const running = worker.run();
  return {
    project,
    folder,
    client,
    pipeline: (name, settings) => pipelineOf(project, name, settings),
    async run(definition, options = {}) {
      const runnable = runnableOf(definition);
      const started = await startRun(client, runnable, { fullRefresh: false, ...options }, 'test');
      return await runOutcome(client, runnable, started);
    },
    async [Symbol.asyncDispose]() {
      worker.shutdown();
      await running;
      await connection.close();
      await native.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs SQL on a database and gives the rows, all values as text. */
export async function sql(url: string, text: string, values: readonly unknown[] = []): Promise<Record<string, string | null>[]> {
  const client = new pg.Client({ connectionString: url, types: { getTypeParser: () => (value: string) => value } });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, string | null>>(text, [...values]);
    return rows;
  } finally {
    await client.end();
  }
}
