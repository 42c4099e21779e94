import type { SyncRunName } from '../../../schema/sync.ts';

/** The table of a run's plan, qualified; a run id is a UUID, so nothing needs quoting. */
export function planTable(run: Pick<SyncRunName, 'runId'>): string {
  return `_millrace.p_${run.runId.replaceAll('-', '').toLowerCase()}`;
}

/** How messages name a run's sync. */
export function syncPlace(run: Pick<SyncRunName, 'sync'>): string {
  return `sync ${run.sync}`;
}

/** SQL for a time as ISO 8601 in UTC. */
export function isoTime(expression: string): string {
  return `to_char(${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}
