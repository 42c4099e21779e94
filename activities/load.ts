import type { Loaded, Prepared, StagedFile } from '../schema/load.ts';
import type { StagedPart } from '../schema/run.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { fromPart, loadFormat, readPlan } from './plan-file.ts';

export interface LoadInput {
  readonly plan: StagedFile;
  readonly transforms: boolean;
  readonly prepared: Prepared;
  readonly no: number;
  readonly file: StagedPart;
}

/** Puts one staged file into the load's table, once. */
export const createLoad = (deps: Dependencies) =>
  async function load(input: LoadInput): Promise<Loaded> {
    const plan = await readPlan(deps.staging, input.plan);
    const attempt = currentAttempt(plan.load.id, 'load', input.no);
    const file = fromPart(input.plan, input.file, loadFormat(plan, input.transforms));
    await using warehouse = await deps.openWarehouse(plan.pipeline.to);
    return await warehouse.load(plan.load, input.prepared, file, input.no, deps.staging.read(file), attempt);
  };
