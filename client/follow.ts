import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { RunReport, StreamReport } from '../schema/run.ts';
import { runOutcome, runProgress, type Runnable, type RunOutcome, type StartedRun } from './runs.ts';

export interface FollowOptions {
  /** Called with what the run did so far, each time it is asked. */
  readonly onProgress: (report: RunReport) => void;
  /** Called once when nobody has answered for ten seconds: no worker is at work. */
  readonly onSilence?: () => void;
  /** Milliseconds between questions; 500 when not given. */
  readonly every?: number;
  /** Ends the following, not the run. */
  readonly signal?: AbortSignal;
}

const silence = 10_000;

/** A stream at work knows more than its run, which hears of it every few seconds. */
async function freshStream(client: Client, workflowId: string, stream: StreamReport): Promise<StreamReport> {
  if (stream.status !== 'running') return stream;
  try {
    return await client.workflow.getHandle(`${workflowId}/${stream.stream}`).query<StreamReport>('streamProgress');
  } catch {
    return stream;
  }
}

async function freshReport(client: Client, run: Pick<StartedRun, 'workflowId' | 'runId'>, base: string): Promise<RunReport | undefined> {
  const report = await runProgress(client, run);
  if (report === undefined) return undefined;
  return { ...report, streams: await Promise.all(report.streams.map((stream) => freshStream(client, base, stream))) };
}

/** Waits for the end of a run and tells how far it is meanwhile. With a signal the result is undefined once it is aborted. */
export async function followRun(
  client: Client,
  runnable: Runnable,
  run: Pick<StartedRun, 'workflowId' | 'runId'>,
  options: FollowOptions,
): Promise<RunOutcome | undefined> {
  const { onProgress, onSilence, every = 500, signal } = options;
  const ended = new AbortController();
  const outcome = runOutcome(client, runnable, run).finally(() => ended.abort());
  const stop = signal === undefined ? ended.signal : AbortSignal.any([ended.signal, signal]);
  const base = `${runnable.definition.project}/${runnable.definition.name}`;
  const watch = async (): Promise<void> => {
    let heardAt = Date.now();
    while (!stop.aborted) {
      const report = runnable.kind === 'pipeline' ? await freshReport(client, run, base) : undefined;
      if (report !== undefined) {
        heardAt = Date.now();
        if (!stop.aborted) onProgress(report);
      } else if (runnable.kind === 'pipeline' && Date.now() - heardAt > silence) {
        heardAt = Infinity;
        onSilence?.();
      }
      await sleep(every, undefined, { signal: stop }).catch(() => undefined);
    }
  };
  const aborted = new Promise<undefined>((resolve) => {
    if (signal?.aborted === true) resolve(undefined);
    signal?.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  // Of these the first to settle counts; an abandoned one has been dealt with here.
  outcome.catch(() => undefined);
  return await Promise.race([outcome, aborted, watch().then(() => outcome)]);
}
