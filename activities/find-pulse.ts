import { createHash } from 'node:crypto';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import { looseAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';

export interface FindPulseInput {
  readonly sync: SyncDefinition;
  /** The pulse that the last run planned from; undefined before the first. */
  readonly last: string | undefined;
}

/** A short text of what a run does by its sync's definition: another one sends other rows. When it runs, whom it tells and what it keeps is no part. */
function digestOf(sync: SyncDefinition): string {
  const { model, state, to, object, match, map, mode, deletes, whenUnknown, mappingChange, write } = sync;
  const does = [model, state, to, object, match, map, mode, deletes, whenUnknown, mappingChange, write];
  return createHash('sha256').update(JSON.stringify(does)).digest('hex').slice(0, 16);
}

/**
 * The pulse of what a sync's model reads, with the definition, once it is another than the last. Until then it fails as `unchanged` and is asked again by its retry
 * policy: the wait costs no history, and no place of a worker.
 */
export const createFindPulse = (deps: Dependencies) =>
  async function findPulse({ sync, last }: FindPulseInput): Promise<string> {
    await using warehouse = await deps.openWarehouse(sync.warehouse);
    const pulse = `${digestOf(sync)} ${await warehouse.pulse(sync.model.sql, looseAttempt('pulse'))}`;
    if (pulse !== last) return pulse;
    throw ApplicationFailure.create({
      message: 'nothing was committed to what the model reads',
      type: 'unchanged',
      category: ApplicationFailureCategory.BENIGN,
    });
  };
