import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { RunReport, StreamReport } from '../schema/run.ts';
import type { SyncReport } from '../schema/sync.ts';
import { runIdOf } from './names.ts';
import { troublesOf, type Trouble } from './trouble.ts';
import { runOutcome, runProgress, syncProgress, type Runnable, type RunOutcome, type StartedRun } from './runs.ts';

export interface FollowOptions {
  /** Called with what the run did so far, each time it is asked. */
  readonly onProgress: (report: RunReport) => void;
  /** The same for a sync. */
  readonly onSync?: (report: SyncReport) => void;
  /** Called once when nobody has answered for ten seconds: no worker is at work. */
  readonly onSilence?: () => void;
  /** Called with each step that failed and is tried again, once for each reason. */
  readonly onTrouble?: (trouble: Trouble) => void;
  /** Milliseconds between questions; 500 when not given. */
  readonly every?: number;
  /** Ends the following, not the run. */
  readonly signal?: AbortSignal;
}

const silence = 10_000;
const troubleEvery = 3000;

/** Tells of troubles of a run and its children at work, at most every few seconds, and of each reason once. */
function troubleWatch(client: Client, workflowId: string, onTrouble: (trouble: Trouble) => void) {
  const told = new Set<string>();
  let lookedAt = Date.now();
  return async (children: readonly string[]): Promise<void> => {
    if (Date.now() - lookedAt < troubleEvery) return;
    lookedAt = Date.now();
    const troubles = await Promise.all([workflowId, ...children].map((id) => troublesOf(client, id)));
    for (const trouble of troubles.flat()) {
      const reason = `${trouble.workflowId} ${trouble.step} ${trouble.message}`;
      if (told.has(reason)) continue;
      told.add(reason);
      onTrouble(trouble);
    }
  };
}

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

/** What a run did so far, to be told, and the ids of its children at work. */
interface Look {
  readonly tell: () => void;
  readonly children: readonly string[];
}

/** Asks a run how far it is; undefined when nobody answers. */
async function lookAt(
  client: Client,
  runnable: Runnable,
  run: Pick<StartedRun, 'workflowId' | 'runId'>,
  { onProgress, onSync }: FollowOptions,
): Promise<Look | undefined> {
  const base = runIdOf(runnable.definition.project, runnable.definition.name);
  if (runnable.kind === 'sync') {
    const report = await syncProgress(client, run);
    return report && { tell: () => onSync?.(report), children: [`${base}/${runnable.definition.object}`] };
  }
  const report = await freshReport(client, run, base);
  const running = (report?.streams ?? []).filter(({ status }) => status === 'running');
  return report && { tell: () => onProgress(report), children: running.map(({ stream }) => `${base}/${stream}`) };
}

/** Waits for the end of a run and tells how far it is meanwhile. With a signal the result is undefined once it is aborted. */
export async function followRun(
  client: Client,
  runnable: Runnable,
  run: Pick<StartedRun, 'workflowId' | 'runId'>,
  options: FollowOptions,
): Promise<RunOutcome | undefined> {
  const { onSilence, onTrouble = () => undefined, every = 500, signal } = options;
  const ended = new AbortController();
  const wait = (): Promise<RunOutcome> => runOutcome(client, runnable, run);
  // A question for the end stays open for long: each is a listener, and abandoned with the following.
  if (signal !== undefined) setMaxListeners(0, signal);
  const outcome = (signal === undefined ? wait() : client.withAbortSignal(signal, wait)).finally(() => ended.abort());
  const stop = signal === undefined ? ended.signal : AbortSignal.any([ended.signal, signal]);
  const lookForTrouble = troubleWatch(client, run.workflowId, onTrouble);
  const watch = async (): Promise<void> => {
    let heardAt = Date.now();
    while (!stop.aborted) {
      const look = runnable.kind === 'model' ? undefined : await lookAt(client, runnable, run, options);
      if (look !== undefined) {
        heardAt = Date.now();
        if (!stop.aborted) look.tell();
      } else if (runnable.kind !== 'model' && Date.now() - heardAt > silence) {
        heardAt = Infinity;
        onSilence?.();
      }
      await lookForTrouble(look?.children ?? []);
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
