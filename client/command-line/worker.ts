import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import type { LogEntry } from '@temporalio/worker';
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
}

export interface WorkerChoice {
  readonly project: Pick<OpenProject, 'name' | 'staging'>;
  readonly connected: Pick<Connected, 'localAddress'>;
  readonly taskQueue?: string;
  /** Takes a line for each warning of the worker; without it only errors are logged. */
  readonly log?: (line: string) => void;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : value instanceof Error ? value.message : '');

/** The line of a warning: what, where, and the reason without its stack. */
function logLine({ level, message, meta = {} }: LogEntry): string {
  const place = [meta['activityType'], meta['workflowId']].map(textOf).filter((part) => part !== '');
  const [reason = ''] = textOf(meta['error']).split('\n');
  return `[${level.toLowerCase()}] ${message}${place.length === 0 ? '' : ` (${place.join(' of ')})`}${reason === '' ? '' : `: ${reason}`}`;
}

/** The runtime is one for the process; signals are the command's own. */
async function installRuntime(log: ((line: string) => void) | undefined): Promise<void> {
  const { DefaultLogger, Runtime, makeTelemetryFilterString } = await import('@temporalio/worker');
  if (Runtime._instance !== undefined) return;
  const write = log ?? ((line: string) => void process.stderr.write(`${line}\n`));
  Runtime.install({
    logger: new DefaultLogger(log === undefined ? 'ERROR' : 'WARN', (entry) => write(logLine(entry))),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }), forward: {} } },
    shutdownSignals: [],
  });
}

/** Starts a worker in this process. */
export async function startWorker({ project, connected, taskQueue, log }: WorkerChoice): Promise<RunningWorker> {
  await installRuntime(log);
  const { openWorker } = await import('../../worker/main.ts');
  const open = await openWorker({
    project: project.name,
    temporal: connected.localAddress,
    staging: project.staging,
    environment: process.env,
    taskQueue: taskQueue ?? taskQueueOf(project.name),
  });
  const work = async (): Promise<void> => {
    await using _ = open;
    await open.worker.run();
  };
  const ended = work();
  // Whoever waits for a run learns of a failed worker by `stop` or `ended`; until then the rejection is known here.
  ended.catch(() => undefined);
  return {
    ended,
    async stop() {
      if (open.worker.getState() === 'RUNNING') open.worker.shutdown();
      await ended;
    },
  };
}
