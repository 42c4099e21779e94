import { noSyncCounts, type SyncCounts } from '../../../schema/sync.ts';

/** Counts of a run as the driver gives them. */
export type CountRow = { readonly [Name in keyof SyncCounts]: string };

const names = ['planned', 'sent', 'acknowledged', 'rejected', 'unknown', 'invalid'] as const;

/** The columns of `sync_runs` that count, each behind the prefix. */
export const countColumns = (prefix = ''): string => names.map((name) => `${prefix}${name}`).join(', ');

export function countsOf(row: CountRow | undefined): SyncCounts {
  if (row === undefined) return noSyncCounts;
  return {
    planned: Number(row.planned),
    sent: Number(row.sent),
    acknowledged: Number(row.acknowledged),
    rejected: Number(row.rejected),
    unknown: Number(row.unknown),
    invalid: Number(row.invalid),
  };
}
