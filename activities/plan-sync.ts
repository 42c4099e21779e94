import type { SyncPlan, SyncRun, SyncRunName } from '../schema/sync.ts';
import { currentAttempt } from './attempt.ts';
import { checkSyncDefinition } from './check-definition.ts';
import type { Dependencies } from './dependencies.ts';
import { openedPlan, openSync } from './open-sync.ts';

export interface PlanSyncInput extends SyncRun {
  readonly run: SyncRunName;
}

/** Compares a sync's model with its ledger, and fixes what this run sends. A second attempt gives what the first planned. */
export const createPlanSync = (deps: Dependencies) =>
  async function planSync({ run, sync, options }: PlanSyncInput): Promise<SyncPlan> {
    checkSyncDefinition(sync);
    const attempt = currentAttempt(run.runId, 'plan');
    await using opened = await openSync(deps, sync);
    await using plan = await openedPlan(deps, opened, { sync, options }, attempt);
    return await opened.books.plan({ ...plan.request, run }, attempt);
  };
