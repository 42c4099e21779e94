import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IngestReport, IngestRetry } from '../../schema/ingest.ts';
import { ingestLines } from '../display/ingest-report.ts';
import { ingestStanding } from '../ingest-standing.ts';
import { count, counted } from '../display/text.ts';
import { retryIngest, wakeIngest, type IngestPipeline } from '../wake-ingest.ts';
import { workerFor } from './at-work.ts';
import { Unsuccessful } from './failure.ts';
import type { Output } from './output.ts';
import type { OpenProject } from './project.ts';
import type { Connected } from './servers.ts';

export interface RunEvents {
  readonly project: OpenProject;
  readonly connected: Connected;
  readonly output: Output;
  /** Ends the following; events are loaded all the same. */
  readonly signal: AbortSignal;
  readonly detach: boolean;
}

const every = 300;

/** Waits until the report says so; undefined when the following was ended. */
async function settled(
  { connected, signal }: RunEvents,
  pipeline: IngestPipeline,
  isSettled: (report: IngestReport) => boolean,
): Promise<IngestReport | undefined> {
  for (; !signal.aborted; await sleep(every, undefined, { signal }).catch(() => undefined)) {
    const report = (await ingestStanding(connected.client, pipeline.definition))?.report;
    if (report !== undefined && isSettled(report)) return report;
  }
  return undefined;
}

/** Has the events of a pipeline loaded that wait, by the workflow that does so whenever some come, and tells what it did. */
export async function runEvents(events: RunEvents, pipeline: IngestPipeline): Promise<void> {
  const { project, connected, output, detach } = events;
  const { name, from } = pipeline.definition;
  const worker = detach ? undefined : await workerFor(project, connected, output);
  try {
    const run = await wakeIngest(connected.client, pipeline);
    const page = connected.page(run);
    output.note(`${name} loads what is posted to /ingest/${from.name} as it comes; asked to load what waits now: ${page}`);
    if (detach) return output.data({ ...run, page, joined: true });
    const report = await settled(events, pipeline, ({ status }) => status !== 'loading');
    if (report === undefined) return output.note('Events are loaded all the same, while a worker is up.');
    output.data({ ok: report.status === 'idle', ...run, page, ingest: report });
    for (const line of ingestLines(report)) output.line(line);
    if (report.failure !== undefined) output.line(`failed: ${report.failure.code}: ${report.failure.message}`);
    if (report.status === 'paused') output.line(`${name} is paused: millrace resume ${name}`);
    if (report.status !== 'idle') throw new Unsuccessful();
  } finally {
    await worker?.stop();
  }
}

function retryLines(name: string, retried: IngestRetry | undefined): readonly string[] {
  if (retried === undefined) return [`${name} is paused, and takes up its rejections after that: millrace resume ${name}`];
  const { loaded, rejected, notes, failure } = retried;
  if (failure !== undefined) return [`failed: ${failure.code}: ${failure.message}`];
  return [`${counted(loaded, 'event')} loaded, ${count(rejected)} rejected again`, ...notes];
}

/** Has the open rejections of a pipeline of events taken up, by the workflow that loads them, and tells what became of them. */
export async function retryEvents(events: RunEvents, pipeline: IngestPipeline): Promise<void> {
  const { project, connected, output } = events;
  const { name } = pipeline.definition;
  const worker = await workerFor(project, connected, output);
  const id = randomUUID();
  try {
    const run = await retryIngest(connected.client, pipeline, id);
    const page = connected.page(run);
    output.note(`asked to take up the open rejections: ${page}`);
    const report = await settled(events, pipeline, ({ status, retried }) => status === 'paused' || retried?.ids.includes(id) === true);
    if (report === undefined) return output.note('The rejections are taken up all the same, while a worker is up.');
    const retried = report.retried?.ids.includes(id) === true ? report.retried : undefined;
    output.data({ ok: retried !== undefined && retried.failure === undefined, ...run, page, retried });
    for (const line of retryLines(name, retried)) output.line(line);
    if (retried === undefined || retried.failure !== undefined) throw new Unsuccessful();
  } finally {
    await worker?.stop();
  }
}
