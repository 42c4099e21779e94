import type { Prepared, StagedFile } from '../schema/load.ts';
import type { PartitionResult } from '../schema/run.ts';
import { currentAttempt } from './attempt.ts';
import { rejectionBytes, rejectionFiles } from './commit.ts';
import type { Dependencies } from './dependencies.ts';
import { readPlan } from './plan-file.ts';

export interface GiveUpInput {
  readonly plan: StagedFile;
  readonly prepared?: Prepared;
  readonly partitions: readonly PartitionResult[];
  readonly reason: string;
}

/** Gives up a load: its table goes, a sample of its rejections stays. */
export const createGiveUp = (deps: Dependencies) =>
  async function giveUp(input: GiveUpInput): Promise<void> {
    const { load, pipeline } = await readPlan(deps.staging, input.plan);
    await using warehouse = await deps.openWarehouse(pipeline.to);
    const files = rejectionFiles(input.plan, input.partitions);
    await warehouse.discard(load, input.prepared, rejectionBytes(deps.staging, files), input.reason, currentAttempt(load.id, 'discard'));
  };
