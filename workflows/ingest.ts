import { condition, continueAsNew, ContinueAsNew, workflowInfo } from '@temporalio/workflow';
import type { IngestLoad, IngestRun } from '../schema/ingest.ts';
import type { Committed } from '../schema/load.ts';
import type { Failure, StreamReport, StreamRun } from '../schema/run.ts';
import { tellRun } from './alert-outcome.ts';
import { failureOf } from './failure.ts';
import { type IngestLeft, IngestState } from './ingest-state.ts';
import { deliverAtLast } from './load.ts';
import { measureStream } from './measure.ts';
import { runModelsAfter } from './model.ts';
import { emptyReport } from './stream-report.ts';
import type { Track } from './track.ts';

/** From the start of one load to that of the next, at least. It is waited for in the first step: a timer of the server may take a second longer. */
const betweenLoads = 1000;
/** From one build of the models that follow to the next. */
const betweenBuilds = 60_000;
/** After a failure; twice as long after each. */
const [shortestBackoff, longestBackoff] = [5000, 300_000];
const shownLoads = 10;

/** Takes in a load that was committed. */
function took(state: IngestState, committed: Committed, stream: StreamReport): void {
  state.failures = 0;
  const { failure: _, ...before } = state.report;
  state.report = before;
  count(state, committed, stream);
}

/** Adds a load to the numbers, unless it was none. */
function count(state: IngestState, { loaded, duplicates, rejected, version, notes }: Committed, stream: StreamReport): void {
  if (version === 0) return;
  const load: IngestLoad = { at: new Date().toISOString(), loaded, duplicates, rejected, seconds: stream.seconds };
  const { notes: _notes, ...report } = state.report;
  state.unbuilt = true;
  state.report = {
    ...report,
    loads: report.loads + 1,
    loaded: report.loaded + loaded,
    duplicates: report.duplicates + duplicates,
    rejected: report.rejected + rejected,
    last: [load, ...report.last].slice(0, shownLoads),
    ...(notes.length === 0 ? {} : { notes: notes.slice(0, shownLoads) }),
  };
}

interface Delivered {
  readonly committed: Committed;
  readonly stream: StreamReport;
}

/** One load, of what has gathered or of the rejections of a retry. */
async function deliverOne(state: IngestState, { going, retrying }: IngestLeft): Promise<Delivered> {
  const startedAt = Date.now();
  const part = await state.part();
  let stream: StreamReport = { ...emptyReport(part), status: 'running' };
  const timed = (): StreamReport => ({ ...stream, seconds: (Date.now() - startedAt) / 1000 });
  const track: Track = {
    report: timed,
    update(change) {
      stream = { ...stream, ...change };
      state.report = { ...state.report, step: stream.step };
    },
    planned({ startedAt: began }) {
      state.startedAt = began ?? state.startedAt;
    },
  };
  const run: StreamRun = {
    pipeline: { ...state.pipeline, streams: [part.definition] },
    options: { trigger: 'schedule', fullRefresh: false, ...(retrying === undefined ? {} : { retry: {} }) },
    part,
    notBefore: state.startedAt + betweenLoads,
    ...(going === undefined ? {} : { going }),
  };
  const goOn = async ({ going: next }: StreamRun): Promise<unknown> =>
    await continueAsNew<typeof ingest>(state.next({ going: next, retrying }));
  const { reconcile: _, ...committed } = await deliverAtLast(run, track, {}, goOn);
  const { version, ...counts } = committed;
  stream = { ...timed(), ...counts, status: 'loaded', step: '' };
  if (version > 0) measureStream(state.pipeline.name, stream);
  return { committed, stream };
}

/** Loads what has gathered. */
async function load(state: IngestState, going: IngestLeft['going']): Promise<void> {
  const { committed, stream } = await deliverOne(state, { going });
  const wasWrong = state.failures > 0 || (state.report.last[0]?.rejected ?? 0) > 0;
  took(state, committed, stream);
  if (wasWrong || stream.rejected > 0) await tell(state, stream);
}

/** Takes up the open rejections; what fails is told to who asked, and tried no more. */
async function retryRejections(state: IngestState, ids: readonly string[], going: IngestLeft['going']): Promise<void> {
  try {
    const { committed, stream } = await deliverOne(state, { going, retrying: ids });
    const { loaded, rejected, notes } = committed;
    count(state, committed, stream);
    state.show({ retried: { ids, loaded, rejected, notes } });
  } catch (error) {
    state.show({ retried: { ids, loaded: 0, rejected: 0, notes: [], failure: toldOf(error) } });
  }
}

/** What failed; throws what ends the workflow. */
function toldOf(error: unknown): Failure {
  const failure = failureOf(error);
  if (error instanceof ContinueAsNew || failure.code === 'cancelled') throw error;
  return failure;
}

async function tell(state: IngestState, stream: StreamReport): Promise<void> {
  const status = stream.status === 'loaded' ? 'succeeded' : 'failed';
  await tellRun(state.pipeline, { pipeline: state.pipeline.name, status, streams: [stream], models: [], seconds: stream.seconds });
}

/** Says what failed, and waits: longer after each failure, but not for a new definition, nor when somebody asks. */
async function failed(state: IngestState, failure: Failure): Promise<void> {
  state.failures += 1;
  state.woken = true;
  state.show({ status: 'waiting', step: '', failure });
  const [stream] = state.pipeline.streams;
  if (stream !== undefined) {
    const part = { stream: stream.stream, target: { schema: state.pipeline.schema, table: '' } };
    await tell(state, { ...emptyReport(part), status: 'failed', failure });
  }
  const { generation, hurried } = state;
  await condition(
    () => state.generation > generation || state.hurried > hurried || state.retries.length > 0,
    Math.min(longestBackoff, shortestBackoff * 2 ** (state.failures - 1)),
  );
}

/** Builds the models that follow, now and then while events come and once after the last. */
async function build(state: IngestState): Promise<void> {
  const { models } = state.pipeline;
  if (!state.unbuilt || state.paused || models.length === 0 || Date.now() - state.builtAt < betweenBuilds) return;
  state.unbuilt = false;
  state.builtAt = Date.now();
  state.show({ step: 'build models' });
  await runModelsAfter(models);
}

/** Waits until there is something to do; without a timer where nothing is. */
async function rest(state: IngestState): Promise<void> {
  // Calls while it is paused make the history long too.
  const due = (): boolean => state.isDue || workflowInfo().continueAsNewSuggested;
  if (due()) return;
  state.show({ status: state.paused ? 'paused' : 'idle', step: '' });
  if (state.unbuilt && state.pipeline.models.length > 0 && !state.paused) {
    const wait = state.builtAt + betweenBuilds - Date.now();
    if (wait > 0) await condition(due, wait);
  } else await condition(due);
}

/** Does what is asked for: takes up rejections, and then loads. */
async function work(state: IngestState): Promise<void> {
  const { going, retrying } = state.left;
  state.left = {};
  state.show({ status: 'loading', step: 'plan' });
  const ids = retrying ?? (going === undefined ? state.retries : []);
  if (ids.length > 0) {
    if (retrying === undefined) state.retries = [];
    await retryRejections(state, ids, going);
  }
  if (!state.woken || state.paused) return;
  state.woken = false;
  try {
    await load(state, retrying === undefined ? going : undefined);
  } catch (error) {
    await failed(state, toldOf(error));
  }
}

/** Loads the events of an ingest connection whenever they have gathered: woken by a signal, at most once a second, for ever. */
export async function ingest(run: IngestRun): Promise<void> {
  const state = new IngestState(run);
  for (;;) {
    await rest(state);
    if (state.isDue) await work(state);
    await build(state);
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof ingest>(state.next(state.left));
  }
}
