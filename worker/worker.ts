import { hostname } from 'node:os';
import type { DataConverter } from '@temporalio/common';
import { type NativeConnection, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { Dependencies } from '../activities/dependencies.ts';
import { failureInterceptor } from './activity-failures.ts';
import { logInterceptors } from './activity-logs.ts';

export interface WorkerOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly dependencies: Dependencies;
  readonly workflowBundle: WorkflowBundleOption;
  /** How payloads are written and read; clients must use the same. */
  readonly dataConverter?: DataConverter;
  /** Activities at the same time; they move data, so few are enough. */
  readonly activities?: number;
}

/** A worker of one project: its workflows and activities on the project's task queue. */
export async function createWorker(options: WorkerOptions): Promise<Worker> {
  const { dependencies } = options;
  const scrub = (text: string): string => dependencies.scrub(text);
  return await Worker.create({
    connection: options.connection,
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    identity: `${hostname()}:${process.pid}:${options.taskQueue}`,
    workflowBundle: options.workflowBundle,
    ...(options.dataConverter === undefined ? {} : { dataConverter: options.dataConverter }),
    activities: createActivities(dependencies),
    interceptors: { activity: [() => ({ inbound: failureInterceptor(scrub) }), () => logInterceptors(scrub)] },
    maxConcurrentActivityTaskExecutions: options.activities ?? 16,
    maxCachedWorkflows: 200,
    // A worker that died holds up its workflows no longer than this.
    stickyQueueScheduleToStartTimeout: '5s',
    // Progress reaches the server within a second or two, and so do cancels and pauses.
    maxHeartbeatThrottleInterval: '1s',
    defaultHeartbeatThrottleInterval: '1s',
    shutdownGraceTime: '20s',
    shutdownForceTime: '30s',
  });
}
