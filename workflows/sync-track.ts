import { defineQuery, defineSignal, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { noSyncCounts } from './sync-counts.ts';
import type { DeliverRun, SyncReport } from '../schema/sync.ts';
import { syncPage } from './sync-page.ts';
import { runTeller } from './track.ts';

/** What a run of a sync did so far; its delivery answers it too, and knows more. */
export const syncProgressQuery = defineQuery<SyncReport>('progress');
/** A delivery tells its run how far it is. */
export const deliveryProgressed = defineSignal<[SyncReport]>('deliveryProgressed');

export interface SyncTrack {
  readonly report: () => SyncReport;
  /** Takes over what changed, and tells the run when it is time. */
  update(change: Partial<SyncReport>): void;
}

/** A report before anything was done. */
export const freshSyncReport = (sync: string, status: SyncReport['status'], step: string): SyncReport => ({
  ...noSyncCounts,
  sync,
  status,
  step,
  operations: {},
  jobs: 0,
  seconds: 0,
  notes: [],
});

/** Keeps the report of a delivery, answers for it, and lets the page live. */
export function trackDelivery({ sync, going }: DeliverRun): SyncTrack {
  const startedAt = going?.startedAt ?? Date.now();
  let report: SyncReport = {
    ...freshSyncReport(sync.name, 'running', 'plan'),
    ...(going === undefined ? {} : { ...going.progress.counts, operations: going.plan.operations, notes: going.plan.notes }),
  };
  const timed = (): SyncReport => ({ ...report, seconds: (Date.now() - startedAt) / 1000 });
  setHandler(syncProgressQuery, timed);
  const tellRun = runTeller(deliveryProgressed, timed, startedAt);
  return {
    report: timed,
    update(change) {
      report = { ...report, ...change };
      setCurrentDetails(syncPage(timed()));
      tellRun();
    },
  };
}
