import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { taskQueueOf } from '../../client/names.ts';
import { openDependencies } from '../../worker/dependencies.ts';
import { createWorker } from '../../worker/worker.ts';
import { withLedgered } from '../sync-kit.ts';
import { withSyncFaults, type SyncFault } from './sync-points.ts';

/** What a test asks of a worker process for syncs. */
export type SyncOrder =
  | { readonly open: string; readonly staging: string; readonly temporal: string; readonly bundle: string }
  | { readonly arm: readonly SyncFault[] }
  | { readonly close: true };

let faults: readonly SyncFault[] = [];
const closing: (() => Promise<void>)[] = [];
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });

async function open({ open: project, staging, temporal, bundle }: Extract<SyncOrder, { open: string }>): Promise<void> {
  const connection = await NativeConnection.connect({ address: temporal });
  const deps = await openDependencies({ staging, environment: process.env, client: new Client({ connection }) });
  const worker = await createWorker({
    connection,
    namespace: 'default',
    taskQueue: taskQueueOf(project),
    dependencies: withSyncFaults(withLedgered(deps), () => faults),
    workflowBundle: { codePath: bundle },
    // Steps that stay at a point time out and are tried again, here too.
    activities: 200,
  });
  const running = worker.run();
  closing.push(async () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
    await connection.close();
  });
}

async function obey(order: SyncOrder): Promise<void> {
  if ('open' in order) await open(order);
  else if ('arm' in order) faults = order.arm;
  else await Promise.all(closing.splice(0).map((close) => close()));
}

process.on('message', (order: SyncOrder & { readonly no: number }) => {
  obey(order).then(
    () => process.send?.({ no: order.no }),
    (error: unknown) => process.send?.({ no: order.no, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
