import {
  condition,
  continueAsNew,
  ContinueAsNew,
  defineQuery,
  defineSignal,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { PipelineDefinition } from '../schema/definition.ts';
import type { IngestLoad, IngestReport, IngestRun, IngestWake } from '../schema/ingest.ts';
import type { Committed } from '../schema/load.ts';
import type { Failure, StreamPart, StreamReport, StreamRun } from '../schema/run.ts';
import { tellRun } from './alert-outcome.ts';
import { failureOf } from './failure.ts';
import { ingestPage } from './ingest-page.ts';
import { deliverAtLast } from './load.ts';
import { measureStream } from './measure.ts';
import { runModelsAfter } from './model.ts';
import { dataSteps } from './steps.ts';
import type { Track } from './track.ts';

/** There are events to load. */
const wakeSignal = defineSignal<[IngestWake]>('wake');
/** Holds loads until `resume`. */
const pauseSignal = defineSignal<[note?: string]>('pause');
const resumeSignal = defineSignal('resume');
const ingestProgressQuery = defineQuery<IngestReport>('ingestProgress');

/** From the start of one load to that of the next, at least. It is waited for in the first step: a timer of the server may take a second longer. */
const betweenLoads = 1000;
/** From one build of the models that follow to the next. */
const betweenBuilds = 60_000;
/** After a failure; twice as long after each. */
const [shortestBackoff, longestBackoff] = [5000, 300_000];
const shownLoads = 10;

const fresh: IngestReport = { status: 'idle', step: '', loads: 0, loaded: 0, duplicates: 0, rejected: 0, last: [] };

const untouched = (part: StreamPart): StreamReport => ({
  stream: part.stream,
  target: `${part.target.schema}.${part.target.table}`,
  status: 'running',
  step: '',
  read: 0,
  loaded: 0,
  rejected: 0,
  filtered: 0,
  duplicates: 0,
  unchanged: 0,
  deleted: 0,
  bytes: 0,
  seconds: 0,
  notes: [],
});

/** What the workflow knows, as it goes on. */
class Ingest {
  pipeline: PipelineDefinition;
  hash: string;
  woken: boolean;
  paused: boolean;
  report: IngestReport;
  failures: number;
  builtAt: number;
  unbuilt: boolean;
  /** When the last load began, by the clock of its worker. */
  startedAt: number;
  #part: StreamPart | undefined;
  /** Rises with each new definition. */
  generation = 0;

  constructor(run: IngestRun) {
    this.pipeline = run.pipeline;
    this.hash = run.hash;
    this.woken = run.woken ?? false;
    this.report = run.report ?? fresh;
    this.paused = run.paused ?? false;
    this.failures = run.failures ?? 0;
    this.builtAt = run.builtAt ?? 0;
    this.unbuilt = run.unbuilt ?? false;
    this.startedAt = run.startedAt ?? 0;
    setHandler(ingestProgressQuery, () => (this.pipeline.expectsEvents === true ? { ...this.report, expectsEvents: true } : this.report));
    setHandler(wakeSignal, (wake) => this.#wake(wake));
    setHandler(pauseSignal, (note) => {
      this.paused = true;
      this.show({ status: 'paused', step: '', ...(note === undefined ? {} : { note }) });
    });
    setHandler(resumeSignal, () => {
      const { note: _, ...report } = this.report;
      this.report = report;
      this.paused = false;
      this.woken = true;
    });
  }

  #wake({ hash, pipeline, pending }: IngestWake): void {
    this.woken = true;
    if (pending !== undefined) this.report = { ...this.report, pending };
    if (pipeline === undefined || hash === this.hash) return;
    this.pipeline = pipeline;
    this.hash = hash;
    this.#part = undefined;
    this.generation += 1;
  }

  show(change: Partial<IngestReport>): void {
    this.report = { ...this.report, ...change };
    setCurrentDetails(ingestPage(this.pipeline.name, this.report));
  }

  /** The stream of the pipeline, found once for each definition. */
  async part(): Promise<StreamPart> {
    if (this.#part !== undefined) return this.#part;
    const { pipeline } = this;
    const steps = dataSteps(pipeline.heartbeatTimeout);
    const found = await steps.expand.executeWithOptions({ summary: `expand ${pipeline.name}` }, [pipeline]);
    const [first] = found.flatMap(({ stream, definition: no, table }) => {
      const definition = pipeline.streams[no];
      return definition === undefined ? [] : [{ stream, definition, target: { schema: pipeline.schema, table } }];
    });
    if (first === undefined) throw new Error(`pipeline ${pipeline.name} has no stream`);
    if (pipeline === this.pipeline) this.#part = first;
    return first;
  }

  next(more: Pick<IngestRun, 'going'> = {}): IngestRun {
    const { pipeline, hash, report, failures, builtAt, unbuilt, startedAt, paused } = this;
    const woken = this.woken || more.going !== undefined;
    return { pipeline, hash, woken, report, failures, builtAt, unbuilt, startedAt, paused, ...more };
  }
}

/** Takes in a load that was committed. */
function took(state: Ingest, committed: Committed, stream: StreamReport): void {
  const { loaded, duplicates, rejected } = committed;
  state.failures = 0;
  const { failure: _, ...before } = state.report;
  state.report = before;
  if (committed.version === 0) return;
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
    ...(committed.notes.length === 0 ? {} : { notes: committed.notes.slice(0, shownLoads) }),
  };
}

/** One load of what has gathered. */
async function load(state: Ingest, going: IngestRun['going']): Promise<void> {
  const startedAt = Date.now();
  const part = await state.part();
  let stream = untouched(part);
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
    options: { trigger: 'schedule', fullRefresh: false },
    part,
    notBefore: state.startedAt + betweenLoads,
    ...(going === undefined ? {} : { going }),
  };
  const goOn = async ({ going: next }: StreamRun): Promise<unknown> =>
    await continueAsNew<typeof ingest>(state.next(next === undefined ? {} : { going: next }));
  const { version, reconcile: _, ...counts } = await deliverAtLast(run, track, {}, goOn);
  stream = { ...timed(), ...counts, status: 'loaded', step: '' };
  const wasWrong = state.failures > 0 || (state.report.last[0]?.rejected ?? 0) > 0;
  took(state, { ...counts, version }, stream);
  if (version > 0) measureStream(state.pipeline.name, stream);
  if (wasWrong || stream.rejected > 0) await tell(state, stream);
}

async function tell(state: Ingest, stream: StreamReport): Promise<void> {
  const status = stream.status === 'loaded' ? 'succeeded' : 'failed';
  await tellRun(state.pipeline, { pipeline: state.pipeline.name, status, streams: [stream], models: [], seconds: stream.seconds });
}

/** Says what failed, and waits: longer after each failure, but not for a new definition. */
async function failed(state: Ingest, failure: Failure): Promise<void> {
  state.failures += 1;
  state.woken = true;
  state.show({ status: 'waiting', step: '', failure });
  const [stream] = state.pipeline.streams;
  const part = { stream: stream?.stream ?? '', target: { schema: state.pipeline.schema, table: '' } };
  if (stream !== undefined) await tell(state, { ...untouched({ ...part, definition: stream }), status: 'failed', failure });
  const { generation } = state;
  await condition(() => state.generation > generation, Math.min(longestBackoff, shortestBackoff * 2 ** (state.failures - 1)));
}

/** Builds the models that follow, now and then while events come and once after the last. */
async function build(state: Ingest): Promise<void> {
  const { models } = state.pipeline;
  if (!state.unbuilt || models.length === 0 || Date.now() - state.builtAt < betweenBuilds) return;
  state.unbuilt = false;
  state.builtAt = Date.now();
  state.show({ step: 'build models' });
  await runModelsAfter(models);
}

/** Waits until there is something to do; without a timer where nothing is. */
async function rest(state: Ingest): Promise<void> {
  const due = (): boolean => state.woken && !state.paused;
  if (due()) return;
  state.show({ status: state.paused ? 'paused' : 'idle', step: '' });
  if (state.unbuilt && state.pipeline.models.length > 0 && !state.paused) {
    const wait = state.builtAt + betweenBuilds - Date.now();
    if (wait > 0) await condition(due, wait);
  } else await condition(due);
}

/** Loads the events of an ingest connection whenever they have gathered: woken by a signal, at most once a second, for ever. */
export async function ingest(run: IngestRun): Promise<void> {
  const state = new Ingest(run);
  let { going } = run;
  for (;;) {
    await rest(state);
    if (state.woken) {
      state.woken = false;
      state.show({ status: 'loading', step: 'plan' });
      try {
        await load(state, going);
      } catch (error) {
        const failure = failureOf(error);
        if (error instanceof ContinueAsNew || failure.code === 'cancelled') throw error;
        await failed(state, failure);
      }
      going = undefined;
    }
    await build(state);
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof ingest>(state.next());
  }
}
