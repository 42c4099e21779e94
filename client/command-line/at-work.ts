import { taskQueueOf } from '../names.ts';
import type { Output } from './output.ts';
import type { OpenProject } from './project.ts';
import { connect, findServers, localOptions, startServers, type Connected } from './servers.ts';
import { hasWorker, startWorker, type RunningWorker } from './worker.ts';

/** Servers that are up, or those that are missing, started. */
export async function serversFor(project: OpenProject, output: Output): Promise<Connected> {
  const servers = await findServers(project);
  const local = localOptions(project, output.note);
  const complete = servers.temporal !== undefined && !local.need.postgres;
  if (complete) return await connect(servers);
  const started = await startServers(local, project, output.note);
  const isNew = started.temporal?.started === true || started.postgres?.started === true;
  if (isNew) output.note('The servers stay in the background; millrace down stops them.');
  return await connect(started);
}

/** A worker in this process, where no other one is up. */
export async function workerFor(project: OpenProject, connected: Connected, output: Output): Promise<RunningWorker | undefined> {
  if (await hasWorker(connected.client, taskQueueOf(project.name))) return undefined;
  output.note('No worker is up: this process is one until the end.');
  return await startWorker({ project, connected });
}
