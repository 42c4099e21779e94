import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import type { Telemetry } from '../../worker/telemetry.ts';
import { taskQueueOf } from '../names.ts';
import type { OpenProject } from './project.ts';
import type { Connected } from './servers.ts';

/** The server lists a worker for minutes after its last question; one elsewhere asks at least once in this time. */
const longestPoll = 75_000;

interface Poller {
  readonly identity?: string | null;
  readonly lastAccessTime?: { readonly seconds?: { toNumber(): number } | null } | null;
}

function isLiving(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** A worker of this machine is asked by its process; one elsewhere counts by the time of its last question. */
function isPolling({ identity, lastAccessTime }: Poller): boolean {
  const [host, pid] = (identity ?? '').split(':');
  if (host === hostname()) return isLiving(Number(pid));
  return Date.now() - (lastAccessTime?.seconds?.toNumber() ?? 0) * 1000 < longestPoll;
}

/** Says whether a worker asks for the steps of this task queue. */
export async function hasWorker(client: Client, taskQueue: string): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: 1,
  });
  return pollers.some(isPolling);
}

/** A worker in this process. */
export interface RunningWorker {
  /** Settles when the worker has stopped: rejected when it failed. */
  readonly ended: Promise<void>;
  /** Takes no more steps, lets those at work come to a safe end, and closes. */
  stop(): Promise<void>;
  /** Adds a line to the log of a worker that stays. */
  note(message: string): void;
}

export interface WorkerChoice {
  readonly project: Pick<OpenProject, 'name' | 'staging'>;
  readonly connected: Pick<Connected, 'localAddress' | 'ui'>;
  readonly taskQueue?: string;
  /** A worker that stays: with logs, metrics and health of its own. Without it only errors are logged. */
  readonly stays?: { readonly level: 'info' | 'warn'; readonly stateFolder: string };
}

/** The runtime is one for the process; signals are the command's own. */
async function installQuietRuntime(): Promise<void> {
  const { DefaultLogger, Runtime, makeTelemetryFilterString } = await import('@temporalio/worker');
  if (Runtime._instance !== undefined) return;
  Runtime.install({
    logger: new DefaultLogger('ERROR', ({ message }) => process.stderr.write(`[error] ${message}\n`)),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }), forward: {} } },
    shutdownSignals: [],
  });
}

async function install({ project, stays }: WorkerChoice): Promise<Telemetry | undefined> {
  if (stays === undefined) {
    await installQuietRuntime();
    return undefined;
  }
  const { installTelemetry } = await import('../../worker/telemetry.ts');
  return await installTelemetry({
    project: project.name,
    stateFolder: stays.stateFolder,
    environment: process.env,
    level: stays.level,
    pretty: process.stderr.isTTY,
    write: (line) => process.stderr.write(line),
  });
}

/** Starts a worker in this process. */
export async function startWorker(choice: WorkerChoice): Promise<RunningWorker> {
  const { project, connected, taskQueue } = choice;
  const telemetry = await install(choice);
  const { openWorker } = await import('../../worker/main.ts');
  const open = await openWorker({
    project: project.name,
    temporal: connected.localAddress,
    staging: project.staging,
    environment: process.env,
    taskQueue: taskQueue ?? taskQueueOf(project.name),
    ...(connected.ui === undefined ? {} : { ui: connected.ui }),
    ...(telemetry === undefined ? {} : { secrets: telemetry.secrets }),
  });
  const work = async (): Promise<void> => {
    await using _ = open;
    await using _health = await telemetry?.observe(open);
    await open.worker.run();
  };
  const ended = work();
  // Whoever waits for a run learns of a failed worker by `stop` or `ended`; until then the rejection is known here.
  ended.catch(() => undefined);
  return {
    ended,
    note: (message) => telemetry?.note(message),
    async stop() {
      if (open.worker.getState() === 'RUNNING') open.worker.shutdown();
      await ended;
    },
  };
}
