import type { Datasets } from '../../connectors/datasets.ts';
import { MillraceError } from '../../schema/errors.ts';
import { after } from '../access/after.ts';
import type { LiveCatalog } from '../catalog-refresh.ts';
import type { Answer, AnswerCall, Answers, ChangesFeed } from '../context.ts';
import { etagOf } from '../entity-tag.ts';
import type { Metrics } from '../operation/metrics.ts';
import { createFlights, type Joined } from './flights.ts';
import { hasAll, keepingOf, mayKeep, tablesOf, type Keeping, type KeptAnswer } from './kept.ts';
import { createMemory } from './memory.ts';
import { createSlots } from './slots.ts';
import type { SharedAnswers } from './shared.ts';

/** A warehouse as answers need it. */
export interface AskedWarehouse {
  readonly datasets: Pick<Datasets, 'read' | 'export'>;
  readonly feed: ChangesFeed;
}

export interface AnswersOptions {
  readonly warehouses: ReadonlyMap<string, AskedWarehouse>;
  readonly catalog: LiveCatalog;
  readonly shared: SharedAnswers | undefined;
  readonly cacheBytes: number;
  /** Reads that wait or run at a time. */
  readonly concurrency: number;
  /** Exports at a time. */
  readonly exports: number;
  readonly isPressed: () => boolean;
  readonly metrics: Metrics;
}

const answerOf = ({ body, etag, link }: KeptAnswer, state: Answer['state']): Answer => ({
  body,
  etag,
  link,
  cached: state === 'hit',
  state,
});

/** Who asks what; equal for callers who see the same. */
const questionOf = ({ caller, warehouse, question }: AnswerCall): string => `${caller.identity}\n${warehouse}\n${question}`;

/** A statement that the shapes don't fit any more. */
const isOutdated = (error: unknown): boolean => error instanceof MillraceError && (error.code === 'schema' || error.code === 'not-found');

/** Answers from memory, Redis, an equal question under way, or the warehouse. */
export function createAnswers(options: AnswersOptions): Answers {
  const { catalog, shared, metrics } = options;
  const refused = (): void => metrics.count('refused_total', { reason: 'overloaded' });
  const counts: Partial<Record<Answer['state'], () => void>> = {};
  const memory = createMemory(options.cacheBytes);
  const flights = createFlights<KeptAnswer>();
  const slots = createSlots(options.concurrency, refused, options.isPressed);
  const exportSlots = createSlots(options.exports, refused, options.isPressed);
  metrics.gauge('answers_kept', {}, () => memory.size);
  metrics.gauge('answers_kept_bytes', {}, () => memory.bytes);
  metrics.gauge('reads_under_way', {}, () => slots.taken);
  metrics.gauge('callers_waiting', {}, () => flights.waiting);
  metrics.gauge('exports_under_way', {}, () => exportSlots.taken);

  function warehouseOf(name: string): AskedWarehouse {
    const found = options.warehouses.get(name);
    if (found === undefined) throw new Error(`no warehouse ${name}`);
    return found;
  }

  /** Asks the warehouse; once more with new shapes when those that the request was made from are old. Throws 503 without a slot. */
  async function ask({ datasets }: AskedWarehouse, call: AnswerCall): Promise<string> {
    const slot = slots.take();
    try {
      return await datasets.read(call.request());
    } catch (error) {
      if (!isOutdated(error)) throw error;
      await catalog.refresh(call.apis);
      return await datasets.read(call.request());
    } finally {
      slot[Symbol.dispose]();
    }
  }

  async function fetch(call: AnswerCall, warehouse: AskedWarehouse, keeping: Keeping | undefined, key: string): Promise<KeptAnswer> {
    const { generation, fingerprint } = catalog;
    // Before the read: a commit that comes while it runs isn't in it for sure.
    const { position } = warehouse.feed;
    const mayBeKept = keeping !== undefined && mayKeep(keeping, warehouse.feed);
    const began = performance.now();
    const body = await ask(warehouse, call);
    const answer = { body, etag: etagOf(body), link: call.linkOf?.(body), position };
    if (!mayBeKept || generation !== catalog.generation || !mayKeep(keeping, warehouse.feed)) return answer;
    if (!hasAll(keeping, warehouse.feed, position)) return answer;
    const ttl = Math.floor(keeping.ttl - (performance.now() - began));
    if (ttl < 1) return answer;
    memory.set(`${generation}\n${key}`, answer, ttl);
    shared?.set(`${fingerprint}\n${key}`, answer, ttl);
    return answer;
  }

  async function sharedAnswer(call: AnswerCall, key: string, keeping: Keeping, feed: ChangesFeed): Promise<KeptAnswer | undefined> {
    const { generation, fingerprint } = catalog;
    const found = await shared?.get(`${fingerprint}\n${key}`);
    // Since it was asked, the listener may have been lost, and the shapes may have changed.
    if (found === undefined || generation !== catalog.generation) return undefined;
    if (!mayKeep(keeping, feed) || !hasAll(keeping, feed, found.answer.position)) return undefined;
    const answer = { ...found.answer, link: call.linkOf?.(found.answer.body) };
    memory.set(`${generation}\n${key}`, answer, Math.min(found.ttl, keeping.ttl));
    return answer;
  }

  /** At once where it is in memory or nothing is shared. */
  function keptAnswer(
    call: AnswerCall,
    key: string,
    keeping: Keeping,
    feed: ChangesFeed,
  ): KeptAnswer | undefined | Promise<KeptAnswer | undefined> {
    if (!mayKeep(keeping, feed)) return undefined;
    const own = memory.get(`${catalog.generation}\n${key}`);
    if (own !== undefined && hasAll(keeping, feed, own.position)) return own;
    return shared === undefined ? undefined : sharedAnswer(call, key, keeping, feed);
  }

  /** The question under way, as long as nothing was committed since it was asked that it would lack. */
  function join(call: AnswerCall, warehouse: AskedWarehouse, keeping: Keeping | undefined, key: string): Joined<KeptAnswer> {
    const { feed } = warehouse;
    const since = feed.position;
    const isGood = (): boolean => {
      const tables = keeping === undefined ? tablesOf(call, catalog) : keeping.tables;
      return tables === undefined || feed.lastChange(tables) <= since;
    };
    return flights.join(`${catalog.generation}\n${key}`, () => fetch(call, warehouse, keeping, key), isGood);
  }

  async function asked(call: AnswerCall, warehouse: AskedWarehouse, keeping: Keeping | undefined, key: string): Promise<Answer> {
    const { isFirst, answer } = join(call, warehouse, keeping, key);
    return counted(answerOf(await answer, isFirst ? (keeping === undefined ? 'off' : 'miss') : 'joined'));
  }

  return {
    read(call) {
      const warehouse = warehouseOf(call.warehouse);
      const keeping = keepingOf(call, catalog);
      const key = questionOf(call);
      const found = keeping === undefined ? undefined : keptAnswer(call, key, keeping, warehouse.feed);
      return after(found, (kept) => (kept === undefined ? asked(call, warehouse, keeping, key) : counted(answerOf(kept, 'hit'))));
    },
    async *export({ warehouse, apis, read, format, signal }) {
      using _slot = exportSlots.take();
      try {
        yield* warehouseOf(warehouse).datasets.export(read, format, signal ?? new AbortController().signal);
      } catch (error) {
        if (isOutdated(error)) await catalog.refresh(apis);
        throw error;
      }
    },
  };

  function counted(answer: Answer): Answer {
    const { state } = answer;
    (counts[state] ??= metrics.counter('answers_total', { from: state }))();
    return answer;
  }
}
