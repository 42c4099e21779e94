import { followEventSchema, type EventSchema } from '../../connectors/ingest/event-schema.ts';
import type { SegmentKeys } from '../../connectors/ingest/sealed-segment.ts';
import { makeIngestFolder, setReaders } from '../../connectors/ingest/segments.ts';
import { ingestDefaults, ingestSettings, type IngestSettings } from '../../connectors/ingest/settings.ts';
import type { IngestDefinition } from '../../schema/gateway-definition.ts';
import type { IngestPending } from '../../schema/ingest.ts';
import { accepted, parseSize } from '../../schema/quantity.ts';
import type { GatewayLog } from '../context.ts';
import { Problem } from '../problem.ts';
import { PendingSegments } from './pending.ts';
import { recoverSegments } from './recover.ts';
import { segmentDefaults, SegmentWriter } from './segment-writer.ts';
import { Waker } from './waker.ts';

export interface IntakeOptions {
  readonly definition: IngestDefinition;
  /** `ingestFolder` of the connection. */
  readonly folder: string;
  /** Encrypts what is stored. */
  readonly keys?: SegmentKeys | undefined;
  readonly log: GatewayLog;
  wake(pending: IngestPending): Promise<void>;
  /** Milliseconds; what a test wants otherwise. */
  readonly sealEvery?: number;
}

/** Loaders are asked for this often while events wait, in case one was woken in vain; ended writers are looked for too. */
const lookEvery = 5000;
const wakeEvery = 1000;

const full = (): Problem =>
  new Problem(503, 'Too much is pending', 'Events come faster than they are loaded; try again later.', { headers: { 'retry-after': '5' } });

const notStored = (cause: unknown): Problem =>
  new Problem(503, 'Not stored', 'The events could not be stored and are not accepted; try again later.', {
    headers: { 'retry-after': '5' },
    cause,
  });

/** Takes in the events of one connection: durable when `store` resolves, loaded soon after. */
export class Intake implements AsyncDisposable {
  readonly name: string;
  readonly settings: IngestSettings;
  readonly schema: () => Promise<EventSchema>;
  readonly #options: IntakeOptions;
  readonly #maxPending: number;
  readonly #writer: SegmentWriter;
  readonly #pending: PendingSegments;
  readonly #waker: Waker;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: IntakeOptions) {
    const { definition, folder, log, sealEvery } = options;
    this.#options = options;
    this.name = definition.connection.name;
    this.settings = ingestSettings.parse(definition.connection.settings);
    const { schema, key, max_pending: maxPending = ingestDefaults.max_pending } = this.settings;
    this.#maxPending = accepted(parseSize, maxPending);
    const warn = (message: string) => (error: unknown) =>
      log.warn({ ingest: this.name, error: error instanceof Error ? error.message : String(error) }, message);
    this.schema = followEventSchema(schema, key, warn('the changed schema is wrong; the one before holds'));
    this.#pending = new PendingSegments(folder, definition.pipelines);
    this.#waker = new Waker({
      every: wakeEvery,
      wake: async () => await options.wake(this.#pending.pending),
      onFault: (error) =>
        error === undefined
          ? log.info({ ingest: this.name }, 'the loader of events can be woken again')
          : warn('the loader of events can not be woken; events wait on disk')(error),
    });
    this.#writer = new SegmentWriter(folder, {
      ...segmentDefaults,
      keys: options.keys,
      ...(sealEvery === undefined ? {} : { sealEvery }),
      onSealed: (no, bytes) => {
        this.#pending.add(no, bytes);
        this.#waker.ask();
      },
      onFault: warn('events could not be stored'),
    });
  }

  /** Throws `config` where the schema is wrong, or what the disk says. */
  static async open(options: IntakeOptions): Promise<Intake> {
    const intake = new Intake(options);
    await intake.schema();
    await makeIngestFolder(options.folder);
    await setReaders(options.folder, options.definition.pipelines);
    await intake.#look();
    intake.#timer = setInterval(() => void intake.#look(), lookEvery);
    intake.#timer.unref();
    return intake;
  }

  /** What some pipeline hasn't loaded yet, also what isn't sealed. */
  get pending(): IngestPending {
    const { segments, bytes } = this.#pending.pending;
    const { openBytes } = this.#writer;
    return { segments: segments + (openBytes > 0 ? 1 : 0), bytes: bytes + openBytes };
  }

  /** Throws 503 where the disk refuses, or too much waits. */
  async store(lines: Buffer): Promise<void> {
    if (this.pending.bytes + lines.byteLength > this.#maxPending) throw full();
    try {
      await this.#writer.append(lines);
    } catch (cause) {
      throw notStored(cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#writer.close();
    await this.#waker[Symbol.asyncDispose]();
  }

  async #look(): Promise<void> {
    try {
      await recoverSegments(this.#options.folder, () => [this.#writer.path], this.#options.keys);
      if ((await this.#pending.look()).segments > 0) this.#waker.ask();
    } catch (error) {
      this.#options.log.warn({ ingest: this.name, error: String(error) }, 'the folder of events can not be read');
    }
  }
}
