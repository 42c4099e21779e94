import {
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
  type SignalDefinition,
  workflowInfo,
} from '@temporalio/workflow';
import type { PlanSummary, RunReport, StreamReport, StreamRun } from '../schema/run.ts';
import { page } from './page.ts';
import { emptyReport } from './stream-report.ts';

/** What a run did so far. */
export const progressQuery = defineQuery<RunReport>('progress');
/** What one stream of a run did so far. */
const streamProgressQuery = defineQuery<StreamReport>('streamProgress');
/** A stream tells its run how far it is. */
export const streamProgressed = defineSignal<[StreamReport]>('streamProgressed');

/** Milliseconds between two signals of a child to its run: further apart the longer it takes, for they all stay in the run's history. */
const signalEvery = (elapsed: number): number => Math.min(60_000, Math.max(2000, elapsed / 10));

/** Tells the run of a child how far it is, each time it is called and enough time has passed. */
export function runTeller<Report>(signal: SignalDefinition<[Report]>, report: () => Report, startedAt: number): () => void {
  let signalledAt = Date.now();
  return () => {
    const { parent } = workflowInfo();
    const now = Date.now();
    if (parent === undefined || now - signalledAt < signalEvery(now - startedAt)) return;
    signalledAt = now;
    // The run may have ended; nobody is left to tell then.
    getExternalWorkflowHandle(parent.workflowId, parent.runId)
      .signal(signal, report())
      .catch(() => undefined);
  };
}

export interface Track {
  readonly report: () => StreamReport;
  /** Takes over what changed, and tells the run when it is time. */
  update(change: Partial<StreamReport>): void;
  /** Hears of each plan that was made. */
  planned?(plan: PlanSummary): void;
}

/** Keeps a stream's report, answers for it, and lets the run's page live. */
export function trackStream(run: StreamRun): Track {
  const startedAt = run.going?.startedAt ?? Date.now();
  let report: StreamReport = {
    ...emptyReport(run.part),
    status: 'running',
    step: 'plan',
    ...(run.going === undefined ? {} : { loadId: run.going.plan.loadId }),
    notes: run.going?.notes ?? [],
    ...run.committed,
  };
  const timed = (): StreamReport => ({ ...report, seconds: (Date.now() - startedAt) / 1000 });
  setHandler(streamProgressQuery, timed);
  const tellRun = runTeller(streamProgressed, timed, startedAt);
  return {
    report: timed,
    update(change) {
      report = { ...report, ...change };
      const status = report.status === 'failed' ? 'failed' : report.status === 'loaded' ? 'succeeded' : 'running';
      setCurrentDetails(page({ pipeline: run.pipeline.name, status, streams: [timed()], models: [], seconds: timed().seconds }));
      tellRun();
    },
  };
}
