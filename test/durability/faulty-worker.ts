import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { taskQueueOf } from '../../client/names.ts';
import { openDependencies } from '../../worker/dependencies.ts';
import { createWorker } from '../../worker/worker.ts';
import { withFault, type Fault } from './fault.ts';

/** What a test asks of its worker process; each is answered by its `no`. */
export type Order =
  | { readonly open: string; readonly staging: string; readonly temporal: string; readonly bundle: string }
  | { readonly arm: Fault }
  | { readonly close: true };
export type Numbered = Order & { readonly no: number };

let fault: Fault | undefined;
const closing: (() => Promise<void>)[] = [];
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });

async function open(order: Extract<Order, { open: string }>): Promise<void> {
  const connection = await NativeConnection.connect({ address: order.temporal });
  const client = new Client({ connection });
  const deps = await openDependencies({ staging: order.staging, environment: process.env, client });
  const worker = await createWorker({
    connection,
    namespace: 'default',
    taskQueue: taskQueueOf(order.open),
    dependencies: withFault(deps, () => fault),
    workflowBundle: { codePath: order.bundle },
  });
  const running = worker.run();
  const close = async (): Promise<void> => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
    await connection.close();
  };
  closing.push(close);
}

async function obey(order: Order): Promise<void> {
  if ('open' in order) await open(order);
  else if ('arm' in order) fault = order.arm;
  else await Promise.all(closing.splice(0).map((close) => close()));
}

process.on('message', (order: Numbered) => {
  obey(order).then(
    () => process.send?.({ no: order.no }),
    (error: unknown) => process.send?.({ no: order.no, error: String(error) }),
  );
});
process.on('SIGTERM', () => void obey({ close: true }).finally(() => process.exit(0)));
process.on('disconnect', () => process.exit(0));
