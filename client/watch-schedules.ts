import { createHash } from 'node:crypto';
import { type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import type { PipelineDefinition } from '../schema/definition.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { WatchRun } from '../schema/watch.ts';
import { runIdOf, taskQueueOf } from './names.ts';

/** A pipeline or sync that is to be told of when it is late. */
export interface Watched {
  readonly watch: WatchRun;
}

const shortestLook = 5_000;
const longestLook = 3_600_000;

/** The pipelines and syncs whose alerts ask for `late` and that say how often a success is expected. */
export function watchesOf(
  definitions: Iterable<Pick<PipelineDefinition | SyncDefinition, 'project' | 'name' | 'expectEvery' | 'alerts'>>,
): readonly Watched[] {
  return [...definitions].flatMap(({ project, name, expectEvery, alerts }): Watched[] =>
    expectEvery === undefined || !alerts.some(({ on }) => on.includes('late')) ? [] : [{ watch: { project, name, expectEvery, alerts } }],
  );
}

/** The schedule `<project>/<name>/watch`: four looks in the time that a success is expected in, none made up for. */
export function watchSchedule({ watch }: Watched): { readonly name: string; readonly hash: string; readonly options: ScheduleOptions } {
  const { project, expectEvery } = watch;
  const name = `${watch.name}/watch`;
  const every = Math.round(Math.min(Math.max(expectEvery / 4, shortestLook), longestLook));
  const hash = createHash('sha256')
    .update(JSON.stringify([watch, every]))
    .digest('hex')
    .slice(0, 16);
  const options: ScheduleOptions = {
    scheduleId: runIdOf(project, name),
    spec: { intervals: [{ every }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'watch',
      taskQueue: taskQueueOf(project),
      workflowId: runIdOf(project, name),
      args: [watch],
      memo: { project, name: watch.name, kind: 'watch', definitionHash: hash },
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute', pauseOnFailure: false },
  };
  return { name, hash, options };
}
