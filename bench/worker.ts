// A worker of the bench project: `worker.ts <folder> <temporal address>`. Says `ready` when it runs.
import { join } from 'node:path';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { openWorker } from '../worker/main.ts';

const [folder = '', temporal = ''] = process.argv.slice(2);
Runtime.install({ logger: new DefaultLogger('ERROR') });
const { worker, [Symbol.asyncDispose]: close } = await openWorker({
  project: 'bench',
  temporal,
  staging: join(folder, 'staging'),
  environment: process.env,
  bundle: { codePath: join(folder, 'workflow-bundle.js') },
});
const running = worker.run();
console.log('ready');
await running;
await close();
