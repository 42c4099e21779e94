import type { Prepared, StagedFile } from '../schema/load.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { readPlan } from './plan-file.ts';

/** Takes the stream's fence and makes the load's table in the warehouse. */
export const createPrepare = (deps: Dependencies) =>
  async function prepare(plan: StagedFile): Promise<Prepared> {
    const { load, pipeline } = await readPlan(deps.staging, plan);
    await using warehouse = await deps.openWarehouse(pipeline.to);
    return await warehouse.prepare(load, currentAttempt(load.id, 'prepare'));
  };
