import assert from 'node:assert/strict';
import { createAnswers, type AnswersOptions } from '../../gateway/answers/answers.ts';
import type { LiveCatalog } from '../../gateway/catalog-refresh.ts';
import type { PublishedApi } from '../../gateway/catalog.ts';
import type { AnswerCall, Answers, ChangesFeed } from '../../gateway/context.ts';
import { createMetrics } from '../../gateway/operation/metrics.ts';
import { Problem } from '../../gateway/problem.ts';
import type { DatasetRequest } from '../../schema/dataset.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { ApiDefinition } from '../../schema/gateway-definition.ts';
import { apiOf, publishedApi } from './access-kit.ts';

/** A warehouse that answers when it is told to. */
class SlowDatasets {
  readonly asked: {
    readonly answer: (body: string) => void;
    readonly fail: (error: unknown) => void;
  }[] = [];
  read(_request: DatasetRequest): Promise<string> {
    return new Promise((answer, fail) => void this.asked.push({ answer, fail }));
  }
  // oxlint-disable-next-line require-yield
  async *export(): AsyncIterable<Uint8Array> {
    throw new Error('not asked for');
  }
}

class FakeFeed implements ChangesFeed {
  isLive = true;
  position = 10n;
  readonly #last = new Map<string, bigint>();
  lastChange(tables: readonly string[]): bigint {
    if (tables.length === 0) return this.position;
    return tables.map((table) => this.#last.get(table) ?? 10n).reduce((a, b) => (a > b ? a : b));
  }
  onChange(): () => void {
    return () => undefined;
  }
  commit(table: string): void {
    this.position += 1n;
    this.#last.set(table, this.position);
  }
}

const api = (name: string, cache?: ApiDefinition['cache'], reads: readonly string[] = [`marts.${name}`]): PublishedApi =>
  publishedApi(apiOf(name, {}, cache === undefined ? {} : { cache }), reads);

const apis = [
  api('loads', { ttl: 60_000, until: 'load' }),
  api('timed', { ttl: 60_000, until: 'ttl' }),
  api('short', { ttl: 30, until: 'ttl' }),
  api('never'),
  api('unknown', { ttl: 60_000, until: 'load' }, []),
];

interface Setting {
  readonly answers: Answers;
  readonly datasets: SlowDatasets;
  readonly feed: FakeFeed;
  readonly catalog: LiveCatalog & { generation: number; refreshed: number };
}

function setting(more: Partial<AnswersOptions> = {}): Setting {
  const datasets = new SlowDatasets();
  const feed = new FakeFeed();
  const catalog = {
    generation: 1,
    fingerprint: 'f',
    refreshed: 0,
    apis,
    unreachable: new Set<string>(),
    missing: new Map<string, string>(),
    api: (name: string) => apis.find(({ definition }) => definition.name === name),
    refresh(): Promise<void> {
      catalog.refreshed += 1;
      return Promise.resolve();
    },
  };
  const answers = createAnswers({
    warehouses: new Map([['warehouse', { datasets, feed }]]),
    catalog,
    shared: undefined,
    cacheBytes: 1 << 20,
    concurrency: 4,
    exports: 1,
    isPressed: () => false,
    metrics: createMetrics(),
    ...more,
  });
  return { answers, datasets, feed, catalog };
}

const request: DatasetRequest = { kind: 'object', members: [] };
const call = (name: string, more: Partial<AnswerCall> & { readonly identity?: string } = {}): AnswerCall => ({
  warehouse: 'warehouse',
  apis: [name],
  reads: [`marts.${name}`],
  question: `/api/${name}`,
  caller: { id: 'token:1', role: 'support', scopes: ['api'], claims: {}, identity: more.identity ?? 'support' },
  request: () => request,
  ...more,
});

/** Lets promises that are settled be heard of. */
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Asks, and has the warehouse answer with `body`. */
async function answered({ answers, datasets }: Setting, of: AnswerCall, body: string): Promise<string> {
  const before = datasets.asked.length;
  const reading = answers.read(of);
  await settle();
  datasets.asked[before]?.answer(body);
  return (await reading).body;
}

describe('answers', () => {
  it('are read once for equal questions at the same time', async () => {
    const all = setting();
    const reading = Array.from({ length: 50 }, async () => await all.answers.read(call('never')));
    await settle();
    assert.equal(all.datasets.asked.length, 1);
    all.datasets.asked[0]?.answer('one');
    const states = (await Promise.all(reading)).map(({ body, state }) => `${body} ${state}`);
    assert.deepEqual([...new Set(states)], ['one off', 'one joined']);
  });

  it('are never shared between identities, under way or kept', async () => {
    const all = setting();
    const mine = all.answers.read(call('loads', { identity: 'support EU' }));
    const theirs = all.answers.read(call('loads', { identity: 'support US' }));
    await settle();
    assert.equal(all.datasets.asked.length, 2);
    all.datasets.asked[0]?.answer('EU');
    all.datasets.asked[1]?.answer('US');
    assert.deepEqual([(await mine).body, (await theirs).body], ['EU', 'US']);
    assert.equal((await all.answers.read(call('loads', { identity: 'support EU' }))).body, 'EU');
    assert.equal((await all.answers.read(call('loads', { identity: 'support US' }))).body, 'US');
  });

  it('have the same ETag kept and fresh, and another one for another body', async () => {
    const all = setting();
    assert.equal(await answered(all, call('loads'), 'one'), 'one');
    const kept = await all.answers.read(call('loads'));
    assert.deepEqual([kept.cached, kept.state], [true, 'hit']);
    all.feed.commit('marts.loads');
    const reading = all.answers.read(call('loads'));
    await settle();
    all.datasets.asked[1]?.answer('one');
    assert.equal((await reading).etag, kept.etag);
    assert.match(kept.etag, /^"[\w-]{27}"$/);
    all.feed.commit('marts.loads');
    const other = all.answers.read(call('loads'));
    await settle();
    all.datasets.asked[2]?.answer('two');
    assert.notEqual((await other).etag, kept.etag);
  });

  it('are kept until a commit to a table that they read, and no other', async () => {
    const all = setting();
    await answered(all, call('loads'), 'old');
    all.feed.commit('marts.other');
    assert.equal((await all.answers.read(call('loads'))).state, 'hit');
    all.feed.commit('marts.loads');
    assert.equal(await answered(all, call('loads'), 'new'), 'new');
  });

  it('are kept until any commit where it is unknown what they read', async () => {
    const all = setting();
    await answered(all, call('unknown', { reads: [] }), 'old');
    all.feed.commit('marts.other');
    assert.equal(await answered(all, call('unknown', { reads: [] }), 'new'), 'new');
  });

  it('are joined by nobody after any commit where it is unknown what they read', async () => {
    const all = setting();
    const asks = call('unknown', { apis: ['unknown', 'never'], reads: ['marts.never'], question: 'both' });
    const before = all.answers.read(asks);
    await settle();
    all.feed.commit('marts.other');
    const after = all.answers.read(asks);
    await settle();
    assert.equal(all.datasets.asked.length, 2);
    all.datasets.asked[1]?.answer('new');
    assert.equal((await after).body, 'new');
    all.datasets.asked[0]?.answer('old');
    await before;
  });

  it('that were read before a commit are not kept as new, nor joined by who comes after it', async () => {
    const all = setting();
    const before = all.answers.read(call('loads'));
    await settle();
    all.feed.commit('marts.loads');
    const after = all.answers.read(call('loads'));
    await settle();
    assert.equal(all.datasets.asked.length, 2);
    all.datasets.asked[1]?.answer('new');
    assert.equal((await after).body, 'new');
    all.datasets.asked[0]?.answer('old');
    assert.equal((await before).body, 'old');
    assert.equal((await all.answers.read(call('loads'))).body, 'new');
  });

  it('are neither taken from kept ones nor kept while commits may be missed', async () => {
    const all = setting();
    await answered(all, call('loads'), 'one');
    all.feed.isLive = false;
    assert.equal(await answered(all, call('loads'), 'two'), 'two');
    all.feed.isLive = true;
    assert.equal((await all.answers.read(call('loads'))).body, 'one');
    all.feed.isLive = false;
    assert.equal(await answered(all, call('timed'), 'timed'), 'timed');
    assert.equal((await all.answers.read(call('timed'))).state, 'hit');
  });

  it('of a read that was begun while commits could be missed are not kept', async () => {
    const all = setting();
    all.feed.isLive = false;
    const reading = all.answers.read(call('loads'));
    await settle();
    all.feed.isLive = true;
    all.datasets.asked[0]?.answer('one');
    await reading;
    assert.equal(await answered(all, call('loads'), 'two'), 'two');
  });

  it('of several APIs are kept for the shortest time, and not at all where one keeps none', async () => {
    const all = setting();
    await answered(all, call('timed', { apis: ['timed', 'short'], question: 'both' }), 'one');
    await new Promise((resolve) => void setTimeout(resolve, 40));
    assert.equal(await answered(all, call('timed', { apis: ['timed', 'short'], question: 'both' }), 'two'), 'two');
    await answered(all, call('timed', { apis: ['timed', 'never'], question: 'never' }), 'one');
    assert.equal(await answered(all, call('timed', { apis: ['timed', 'never'], question: 'never' }), 'two'), 'two');
  });

  it('of old shapes are not given, and what was read with them is not kept', async () => {
    const all = setting();
    await answered(all, call('loads'), 'old');
    const reading = all.answers.read(call('loads', { question: 'other' }));
    await settle();
    all.catalog.generation = 2;
    all.datasets.asked[1]?.answer('old');
    await reading;
    assert.equal(await answered(all, call('loads'), 'new'), 'new');
    assert.equal(await answered(all, call('loads', { question: 'other' }), 'new'), 'new');
  });

  it('are asked for once more, with new shapes, when a dataset is not what it was', async () => {
    const all = setting();
    let made = 0;
    const reading = all.answers.read(call('loads', { request: () => ((made += 1), request) }));
    await settle();
    all.datasets.asked[0]?.fail(new MillraceError('schema', 'changed'));
    await settle();
    all.datasets.asked[1]?.answer('new');
    assert.equal((await reading).body, 'new');
    assert.deepEqual([made, all.catalog.refreshed], [2, 1]);
  });

  it('are refused at once beyond what may be under way, while those under way are answered', async () => {
    const all = setting();
    const reading = [1, 2, 3, 4].map(async (n) => await all.answers.read(call('never', { question: `${n}` })));
    await settle();
    await assert.rejects(
      async () => await all.answers.read(call('never', { question: '5' })),
      (error: unknown) => {
        assert.ok(error instanceof Problem);
        assert.deepEqual([error.status, error.headers], [503, { 'retry-after': '1' }]);
        return true;
      },
    );
    // Joining costs nothing.
    const joined = all.answers.read(call('never', { question: '1' }));
    await settle();
    for (const { answer } of all.datasets.asked) answer('done');
    assert.equal((await Promise.all([...reading, joined])).length, 5);
    assert.equal(await answered(all, call('never', { question: '5' }), 'done'), 'done');
  });

  it('that are kept are given even when this process has more to do than it can', async () => {
    let isPressed = false;
    const all = setting({ isPressed: () => isPressed });
    await answered(all, call('loads'), 'one');
    isPressed = true;
    assert.equal((await all.answers.read(call('loads'))).body, 'one');
    await assert.rejects(async () => await all.answers.read(call('never')), { status: 503 });
  });

  it('take no more memory than they may', async () => {
    const metrics = createMetrics();
    const all = setting({ cacheBytes: 100_000, metrics });
    for (let n = 0; n < 50; n += 1) await answered(all, call('timed', { question: `${n}` }), 'x'.repeat(5000));
    const bytes = Number(/answers_kept_bytes (\d+)/.exec(metrics.text())?.[1]);
    assert.ok(bytes > 50_000 && bytes <= 100_000, `${bytes}`);
    // One that is too large is answered and not kept.
    await answered(all, call('timed', { question: 'large' }), 'x'.repeat(50_000));
    assert.equal(await answered(all, call('timed', { question: 'large' }), 'again'), 'again');
  });
});
