import type { StagedFile } from '../schema/load.ts';
import { cleanUp as cleanUpStaging } from '../staging/clean-up.ts';
import type { Dependencies } from './dependencies.ts';
import { readPlan } from './plan-file.ts';
import { createRetain } from './retain.ts';

/** Keeps the staged files of the stream's last loads, and removes older ones and orphans; then what the books keep no longer. */
export const createCleanUp = (deps: Dependencies) => {
  const retain = createRetain(deps);
  return async function cleanUp(plan: StagedFile): Promise<void> {
    const { pipeline } = await readPlan(deps.staging, plan);
    const [running = '', ...parents] = plan.name.split('/').slice(0, -1).toReversed();
    await cleanUpStaging(deps.staging, { folder: parents.toReversed().join('/'), keep: pipeline.retention.stagedLoads, running });
    await retain(pipeline);
  };
};
