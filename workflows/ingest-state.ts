import { defineQuery, defineSignal, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { PipelineDefinition } from '../schema/definition.ts';
import type { IngestReport, IngestRun, IngestWake } from '../schema/ingest.ts';
import type { StreamPart } from '../schema/run.ts';
import { ingestPage } from './ingest-page.ts';
import { dataSteps } from './steps.ts';

/** There are events to load. */
const wakeSignal = defineSignal<[IngestWake]>('wake');
/** Holds loads until `resume`. */
const pauseSignal = defineSignal<[note?: string]>('pause');
const resumeSignal = defineSignal('resume');
/** Takes up the open rejections, by a definition; the report tells of it by the name. */
const retrySignal = defineSignal<[id: string, by: IngestWake]>('retry');
const ingestProgressQuery = defineQuery<IngestReport>('ingestProgress');

const fresh: IngestReport = { status: 'idle', step: '', loads: 0, loaded: 0, duplicates: 0, rejected: 0, last: [] };

/** A load that a new run goes on with, and the retries that it answers. */
export type IngestLeft = { readonly [Part in 'going' | 'retrying']?: IngestRun[Part] | undefined };

/** What the workflow of events knows, as it goes on. */
export class IngestState {
  pipeline: PipelineDefinition;
  hash: string;
  woken: boolean;
  paused: boolean;
  /** Retries of rejections that are asked for. */
  retries: readonly string[];
  /** What an earlier run left. */
  left: IngestLeft;
  report: IngestReport;
  failures: number;
  builtAt: number;
  unbuilt: boolean;
  /** When the last load began, by the clock of its worker. */
  startedAt: number;
  #part: StreamPart | undefined;
  /** Rises with each new definition. */
  generation = 0;
  /** Rises whenever somebody asks for a load now: no failure is waited out then. */
  hurried = 0;

  constructor(run: IngestRun) {
    this.pipeline = run.pipeline;
    this.hash = run.hash;
    this.woken = run.woken ?? false;
    this.report = run.report ?? fresh;
    this.paused = run.paused ?? false;
    this.retries = run.retries ?? [];
    this.left = { going: run.going, retrying: run.retrying };
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
    setHandler(retrySignal, (id, by) => {
      this.#learn(by);
      this.retries = [...this.retries, id];
    });
    setHandler(resumeSignal, () => {
      const { note: _, ...report } = this.report;
      this.report = report;
      this.paused = false;
      this.woken = true;
      this.hurried += 1;
    });
  }

  #wake(wake: IngestWake): void {
    const { pending, now } = wake;
    this.woken = true;
    if (pending !== undefined) this.report = { ...this.report, pending };
    if (now === true) {
      this.hurried += 1;
      if (!this.paused) this.report = { ...this.report, status: 'loading', step: 'plan' };
    }
    this.#learn(wake);
  }

  #learn({ hash, pipeline }: IngestWake): void {
    if (pipeline === undefined || hash === this.hash) return;
    this.pipeline = pipeline;
    this.hash = hash;
    this.#part = undefined;
    this.generation += 1;
  }

  /** Something is to be loaded, and may be. */
  get isDue(): boolean {
    return (this.woken || this.retries.length > 0 || this.left.going !== undefined) && !this.paused;
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

  next({ going, retrying }: IngestLeft): IngestRun {
    const { pipeline, hash, report, failures, builtAt, unbuilt, startedAt, paused, retries } = this;
    const woken = this.woken || (going !== undefined && retrying === undefined);
    return {
      pipeline,
      hash,
      woken,
      report,
      failures,
      builtAt,
      unbuilt,
      startedAt,
      paused,
      ...(retries.length === 0 ? {} : { retries }),
      ...(going === undefined ? {} : { going }),
      ...(retrying === undefined ? {} : { retrying }),
    };
  }
}
