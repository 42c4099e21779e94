import type { RunReport } from '../../schema/run.ts';
import { liveDisplay, plainDisplay, type RunDisplay } from '../display/run-display.ts';
import { oneLine } from '../display/text.ts';
import { followRun } from '../follow.ts';
import type { Runnable, RunOutcome, StartedRun } from '../runs.ts';
import type { Output } from './output.ts';
import type { Connected } from './servers.ts';

export interface ToEnd {
  readonly connected: Connected;
  readonly runnable: Runnable;
  readonly output: Output;
  /** Ends the following, not the run. */
  readonly signal: AbortSignal;
}

const displayOf = (output: Output): RunDisplay => (output.live ? liveDisplay(process.stdout) : plainDisplay(output.note));

/** Follows a run with a display; undefined when the following was interrupted. */
async function followShown(run: Pick<StartedRun, 'workflowId' | 'runId'>, toEnd: ToEnd): Promise<RunOutcome | undefined> {
  const { connected, runnable, output, signal } = toEnd;
  const display = displayOf(output);
  try {
    const outcome = await followRun(connected.client, runnable, run, {
      onProgress: (report) => display.show(report),
      onSync: (report) => display.showSync(report),
      onSilence: () => display.say('No worker has answered for 10 seconds: the run waits for one (millrace up or millrace worker).'),
      onTrouble: ({ workflowId, step, attempt, message }) =>
        display.say(`${step} of ${workflowId} is tried again (attempt ${attempt}): ${oneLine(message)}`),
      signal,
    });
    if (outcome?.report !== undefined) display.show(outcome.report);
    if (outcome?.sync !== undefined) display.showSync(outcome.sync);
    return outcome;
  } finally {
    display.end();
  }
}

/** The other run that holds streams of this one. */
function holderOf(report: RunReport | undefined): { readonly workflowId: string; readonly runId: string } | undefined {
  return report?.streams.find(({ status, by }) => status === 'taken' && by !== undefined)?.by;
}

/** Whether nothing but streams that another run holds stands between this run and success. */
function isOnlyTaken(report: RunReport | undefined): boolean {
  if (report === undefined || holderOf(report) === undefined) return false;
  const done = report.streams.every(({ status }) => status === 'loaded' || status === 'taken');
  return done && report.models.every(({ status }) => status !== 'failed');
}

/** Follows a run to its end; where another run holds its streams, that one too, and counts its end as this one's. */
export async function runToEnd(
  run: Pick<StartedRun, 'workflowId' | 'runId'>,
  follow: boolean,
  toEnd: ToEnd,
): Promise<RunOutcome | undefined> {
  const outcome = await followShown(run, toEnd);
  const report = outcome?.report;
  const holder = holderOf(report);
  if (outcome === undefined || holder === undefined || !isOnlyTaken(report)) return outcome;
  const { output, connected } = toEnd;
  const page = connected.page(holder);
  if (!follow) {
    const message = `another run is loading the same streams: ${page}; wait for it or cancel it, then ask again`;
    return { ok: false, code: 'conflict', message, ...(report === undefined ? {} : { report }) };
  }
  output.note(`A run under way is loading the same streams; following it: ${page}`);
  return await followShown(holder, toEnd);
}
