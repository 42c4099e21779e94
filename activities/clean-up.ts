import type { StagedFile } from '../schema/load.ts';
import { cleanUp as cleanUpStaging } from '../staging/clean-up.ts';
import type { Dependencies } from './dependencies.ts';
import { readPlan } from './plan-file.ts';

/** Keeps the staged files of the stream's last loads, and removes older ones and orphans. */
export const createCleanUp = (deps: Dependencies) =>
  async function cleanUp(plan: StagedFile): Promise<void> {
    const { pipeline } = await readPlan(deps.staging, plan);
    const [running = '', ...parents] = plan.name.split('/').slice(0, -1).toReversed();
    await cleanUpStaging(deps.staging, { folder: parents.toReversed().join('/'), keep: pipeline.retention.stagedLoads, running });
  };
