import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { ConnectionDefinition } from '../schema/definition.ts';
import { looseAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';

export interface FindPulseInput {
  readonly warehouse: ConnectionDefinition;
  readonly sql: string;
  /** The pulse that the last run planned from; undefined before the first. */
  readonly last: string | undefined;
}

/**
 * The pulse of what a query reads, once it is another than the last. Until then it fails as `unchanged` and is asked again by its retry
 * policy: the wait costs no history, and no place of a worker.
 */
export const createFindPulse = (deps: Dependencies) =>
  async function findPulse({ warehouse: connection, sql, last }: FindPulseInput): Promise<string> {
    await using warehouse = await deps.openWarehouse(connection);
    const pulse = await warehouse.pulse(sql, looseAttempt('pulse'));
    if (pulse !== last) return pulse;
    throw ApplicationFailure.create({
      message: 'nothing was committed to what the model reads',
      type: 'unchanged',
      category: ApplicationFailureCategory.BENIGN,
    });
  };
