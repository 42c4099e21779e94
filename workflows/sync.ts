import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { TimeoutFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { SyncReport, SyncRun } from '../schema/sync.ts';
import { tellSync } from './alert-outcome.ts';
import { deliver } from './deliver.ts';
import { failureOf, failWith } from './failure.ts';
import { measureRun } from './measure.ts';
import { bookSteps, pulseSteps } from './steps.ts';
import { afterFailure, memoryOf, remembered, turnOf } from './sync-memory.ts';
import { syncPage } from './sync-page.ts';
import { deliveryProgressed, freshSyncReport, syncProgressQuery } from './sync-track.ts';

/** A continuous run waits this long for a commit; then the schedule begins another. */
const longestWait = 10 * 60_000;

/** The id of the workflow that sends a sync's rows: fixed, so that only one does. */
const deliveryId = ({ sync }: SyncRun): string => `${sync.project}/${sync.name}/${sync.object}`;

/** The report in the details of a failed delivery. */
function reportOf(error: unknown): SyncReport | undefined {
  if (!(error instanceof ChildWorkflowFailure) || !(error.cause instanceof ApplicationFailure)) return undefined;
  const [report] = error.cause.details ?? [];
  return report as SyncReport | undefined;
}

/** Nothing was committed for as long as the run waits: the failure of the last look, or the end of the time. */
function isUnchanged(error: unknown): boolean {
  if (!(error instanceof ActivityFailure)) return false;
  const cause = error.cause instanceof TimeoutFailure ? (error.cause.cause ?? error.cause) : error.cause;
  return cause instanceof TimeoutFailure || (cause instanceof ApplicationFailure && cause.type === 'unchanged');
}

/** Waits for a commit to what the model reads: the new pulse, or undefined when there was none. */
async function nextPulse({ sync }: SyncRun, last: string | undefined, longest: number): Promise<string | undefined> {
  const { findPulse } = pulseSteps(Math.max(1000, sync.minInterval / 5), longest);
  try {
    return await findPulse.executeWithOptions({ summary: `wait for a commit to what ${sync.model.name} reads` }, [{ sync, last }]);
  } catch (error) {
    if (isUnchanged(error)) return undefined;
    throw error;
  }
}

async function taken(run: SyncRun, current: SyncReport): Promise<SyncReport> {
  const workflowId = deliveryId(run);
  const { name } = run.sync;
  const found = await bookSteps.findRun.executeWithOptions({ summary: `find who sends ${name}` }, [workflowId]).catch(() => null);
  const message = `another run is sending ${name}: ${found?.workflowId ?? workflowId}`;
  if (run.options.trigger !== 'manual') return { ...current, status: 'skipped', step: '', notes: [message] };
  return { ...current, status: 'failed', failure: { code: 'conflict', message } };
}

async function delivered(run: SyncRun, current: () => SyncReport): Promise<SyncReport> {
  const { sync } = run;
  try {
    return await executeChild(deliver, {
      workflowId: deliveryId(run),
      args: [run],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `${sync.model.name} → ${sync.to.name}.${sync.object} (${sync.mode})`.slice(0, 200),
      memo: { project: sync.project, sync: sync.name },
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return await taken(run, current());
    const failure = failureOf(error);
    return { ...current(), ...reportOf(error), status: 'failed', failure };
  }
}

/** Waits for a commit, then plans and sends; hands on what was seen. */
async function carryOutLater(run: SyncRun, current: () => SyncReport): Promise<SyncReport> {
  const memory = memoryOf(workflowInfo());
  const { pulse: last, failures = 0 } = memory;
  const turn = turnOf(memory, Date.now());
  let pulse: string | undefined;
  try {
    pulse = await nextPulse(run, last, Math.min(longestWait, Math.max(1000, turn - Date.now())));
  } catch (error) {
    // Where the look itself fails, nothing else keeps it from the next at once.
    if (failures > 0 && !isCancellation(error)) await sleep(Math.max(1, turn - Date.now()));
    throw error;
  }
  // A look ends before its time when the next would be too late.
  if (pulse === undefined && Date.now() < turn - run.sync.minInterval) {
    return { ...current(), ...memory, status: 'skipped', step: '', notes: ['nothing was committed to what the model reads'] };
  }
  const report = await delivered(run, current);
  if (report.status === 'succeeded') return { ...report, ...remembered(pulse ?? last) };
  return { ...report, ...(report.status === 'failed' ? afterFailure(memory, pulse) : memory) };
}

async function carryOut(run: SyncRun, current: () => SyncReport): Promise<SyncReport> {
  if (run.options.trigger !== 'continuous') return await delivered(run, current);
  try {
    return await carryOutLater(run, current);
  } catch (error) {
    return { ...current(), ...afterFailure(memoryOf(workflowInfo())), status: 'failed', failure: failureOf(error) };
  }
}

/** One run of a sync: waits for a commit where it is continuous, then sends what changed. */
export async function sync(run: SyncRun): Promise<SyncReport> {
  const { name } = run.sync;
  const startedAt = Date.now();
  const isContinuous = run.options.trigger === 'continuous';
  let report = freshSyncReport(name, isContinuous ? 'waiting' : 'running', isContinuous ? 'wait for a commit' : '');
  const timed = (): SyncReport => ({ ...report, seconds: (Date.now() - startedAt) / 1000 });
  const show = (change: SyncReport): void => {
    report = change;
    setCurrentDetails(syncPage(timed()));
  };
  setHandler(syncProgressQuery, timed);
  setHandler(deliveryProgressed, (change) => {
    if (report.status === 'waiting' || report.status === 'running') show(change);
  });
  show(report);
  show(await carryOut(run, timed));
  const isCancelled = CancellationScope.current().consideredCancelled;
  measureRun(name, isCancelled ? 'cancelled' : report.status === 'waiting' ? 'running' : report.status, timed().seconds);
  if (isCancelled) throw new CancelledFailure('the run was cancelled');
  await tellSync(run.sync, timed());
  if (report.failure !== undefined) throw failWith(report.failure, timed());
  return timed();
}
