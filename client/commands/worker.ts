import type { Command } from 'commander';
import { aborted, interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { openProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';
import { startWorker } from '../command-line/worker.ts';

async function work(options: ProjectOptions): Promise<void> {
  const project = await openProject(options);
  using stopping = interrupt();
  await using connected = await connectProject(project);
  const worker = await startWorker({ project, connected, stays: { level: 'info', stateFolder: project.loaded.stateFolder } });
  worker.note(`worker of ${project.name} at ${connected.address}, namespace ${connected.namespace}; Ctrl-C or SIGTERM drains it`);
  await Promise.race([aborted(stopping.signal), worker.ended]);
  worker.note('stopping: steps at work come to a safe end first');
  await worker.stop();
}

/** `millrace worker` */
export const command = (): Command =>
  projectCommand('worker', 'Runs a worker and no servers. SIGTERM drains it: no step is lost, another worker goes on with the rest.', [
    'TEMPORAL_ADDRESS=temporal.internal:7233 millrace worker',
    'TEMPORAL_PROFILE=production millrace worker --file /srv/acme/millrace.yaml --env-file /etc/millrace/env',
  ]).action(work);
