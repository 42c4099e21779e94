import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

export * from '../workflows/index.ts';

const { findRun } = proxyActivities<Pick<Activities, 'findRun'>>({ startToCloseTimeout: '1 minute' });

/** The reference of `startup`: five activities that do next to nothing, one after the other. */
export async function fiveActivities(): Promise<void> {
  for (let no = 0; no < 5; no += 1) await findRun('');
}
