import { ApplicationFailure } from '@temporalio/workflow';
import type { SyncReport, SyncRun } from '../schema/sync.ts';

/** One run of a sync. */
export async function sync(run: SyncRun): Promise<SyncReport> {
  throw ApplicationFailure.nonRetryable(`sync ${run.sync.name}: not yet`);
}
