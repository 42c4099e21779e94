import type { SyncCounts, SyncPlan } from '../schema/sync.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { Failure } from '../schema/run.ts';
import { grouped } from './page.ts';

export const noSyncCounts: SyncCounts = { planned: 0, sent: 0, acknowledged: 0, rejected: 0, unknown: 0, invalid: 0 };

/** `12 of 40 rows` */
const share = (part: number, all: number): string => `${grouped(part)} of ${grouped(all)} rows`;

function told(sync: SyncDefinition, refused: string): Failure {
  const { maxRejected, name } = sync;
  const limit = 'rows' in maxRejected ? `${maxRejected.rows} rows` : `${Math.round(maxRejected.share * 1000) / 10}%`;
  return {
    code: 'rejected',
    message: `sync ${name}: ${refused}, more than max_rejected (${limit}) allows; see them with: millrace rejections ${name}`,
  };
}

/**
 * Were more rows refused than the sync allows? Shares are of the rows that are news: one that is refused again in each run, alone, would
 * fail them all. Invalid rows are a share of the model.
 */
export function tooManyRejected(sync: SyncDefinition, plan: SyncPlan, counts: SyncCounts): Failure | undefined {
  const { maxRejected } = sync;
  if ('rows' in maxRejected) {
    const refused = counts.rejected + counts.invalid;
    return refused > maxRejected.rows ? told(sync, `${grouped(refused)} rows were refused`) : undefined;
  }
  const news = plan.counts.planned - plan.again;
  const rejected = Math.max(0, counts.rejected - plan.again);
  if (rejected > maxRejected.share * news) return told(sync, `${share(rejected, news)} were rejected`);
  if (counts.invalid > maxRejected.share * plan.modelRows) return told(sync, `${share(counts.invalid, plan.modelRows)} are invalid`);
  return undefined;
}
