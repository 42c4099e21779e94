import type { Load, StagedFile } from '../schema/load.ts';
import { cleanUp as cleanUpStaging } from '../staging/clean-up.ts';
import type { Dependencies } from './dependencies.ts';
import { readPlan, type PlanFile } from './plan-file.ts';
import { createRetain } from './retain.ts';

/** Events that are committed go: the warehouse has them. */
async function release(deps: Dependencies, { from, name, project }: PlanFile['pipeline'], { repeats, cursor }: Load): Promise<void> {
  if (repeats !== true || cursor === null) return;
  await using source = await deps.openSource(from, project);
  await source.release?.(cursor, name);
}

/** Keeps the staged files of the stream's last loads, and removes older ones and orphans; then what the books keep no longer. */
export const createCleanUp = (deps: Dependencies) => {
  const retain = createRetain(deps);
  return async function cleanUp(plan: StagedFile): Promise<void> {
    const { pipeline, load } = await readPlan(deps.staging, plan);
    await release(deps, pipeline, load);
    const [running = '', ...parents] = plan.name.split('/').slice(0, -1).toReversed();
    await cleanUpStaging(deps.staging, { folder: parents.toReversed().join('/'), keep: pipeline.retention.stagedLoads, running });
    await retain(pipeline);
  };
};
