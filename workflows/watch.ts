import { workflowInfo } from '@temporalio/workflow';
import type { Alert } from '../schema/alert.ts';
import type { AlertDefinition } from '../schema/definition.ts';
import type { Standing, WatchRun } from '../schema/watch.ts';
import { beginStreak, endStreak, type Streak } from './alert-streak.ts';
import { failureOf } from './failure.ts';
import { alertSteps } from './steps.ts';

/** What one look hands on to the next, through the schedule: runs are forgotten by the server after a while. */
interface WatchMemory {
  /** When the watch began; a pipeline that never succeeded is late from then on. */
  readonly since: number;
  readonly lastSuccess: number | null;
  readonly late: boolean;
}

function elapsed(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 2) return minutes === 1 ? '1 minute' : `${Math.round(milliseconds / 1000)} seconds`;
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 60 / 24)} days`;
}

function lateAlert({ project, name, expectEvery }: WatchRun, last: number | null, standing: Standing): Alert {
  const { workflowId, runId } = workflowInfo();
  const [run] = standing.underWay;
  const ago = last === null ? 'it never succeeded' : `the last success was ${elapsed(Date.now() - last)} ago`;
  return {
    id: `${workflowId}/${runId}/late`,
    kind: 'late',
    project,
    name,
    at: new Date().toISOString(),
    summary: `late: ${ago}, a success is expected every ${elapsed(expectEvery).replace(/^1 /, '')}`,
    details: standing.underWay.length === 0 ? ['no run is under way'] : standing.underWay.map(({ sentence }) => sentence),
    ...(run === undefined ? {} : { run: { workflowId: run.workflowId, runId: run.runId } }),
  };
}

async function look(run: WatchRun): Promise<Standing> {
  try {
    return await alertSteps.findStanding.executeWithOptions({ summary: `last success of ${run.name}` }, [
      { project: run.project, name: run.name },
    ]);
  } catch (error) {
    // What the last look knew still says whether the pipeline is late.
    return {
      lastSuccess: null,
      underWay: [{ workflowId: '', runId: '', sentence: `its runs can't be listed: ${failureOf(error).message}` }],
    };
  }
}

/**
 * Is a pipeline late? Started by its watch schedule, it asks Temporal for the last success, not the warehouse: a warehouse that is
 * down is the likeliest reason, and runs wait for it without failing.
 */
export async function watch(run: WatchRun): Promise<WatchMemory> {
  const before = workflowInfo().lastResult as WatchMemory | undefined;
  const standing = await look(run);
  const successes = [before?.lastSuccess, standing.lastSuccess].filter((at) => typeof at === 'number');
  const lastSuccess = successes.length === 0 ? null : Math.max(...successes);
  const since = before?.since ?? Date.now();
  const late = Date.now() - Math.max(since, lastSuccess ?? 0) > run.expectEvery;
  const streak = (definition: AlertDefinition): Streak => ({ project: run.project, name: run.name, kind: 'late', definition });
  const alerts = run.alerts.filter(({ on }) => on.includes('late'));
  if (late) {
    await Promise.all(alerts.map((definition) => beginStreak(streak(definition), lateAlert(run, lastSuccess, standing))));
  } else if (before?.late === true) {
    await Promise.all(alerts.map((definition) => endStreak(streak(definition), null)));
  }
  return { since, lastSuccess, late };
}
