import type { PipelineDefinition } from '../schema/definition.ts';
import { looseAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';

const day = 86_400_000;

/**
 * Deletes what the books of a pipeline keep no longer, once a day at most for each worker. An attempt that fails counts: a warehouse that
 * is down doesn't hold up the end of a run, and tomorrow is early enough.
 */
export function createRetain(deps: Dependencies): (pipeline: Omit<PipelineDefinition, 'streams'>) => Promise<void> {
  const triedAt = new Map<string, number>();
  return async ({ project, name, to, retention }) => {
    const key = `${project}/${name}`;
    if (Date.now() - (triedAt.get(key) ?? 0) < day) return;
    triedAt.set(key, Date.now());
    await using warehouse = await deps.openWarehouse(to);
    await warehouse.retain({ project, pipeline: name, rejections: retention.rejections, loads: retention.loads }, looseAttempt('retain'));
  };
}
