import assert from 'node:assert/strict';
import fc from 'fast-check';
import { newLimitState, returnPermits, slackOf, takePermits, type LimitState } from '../../connectors/http/limit-state.ts';
import { Limiter } from '../../connectors/http/limiter.ts';
import { memoryStores } from '../../connectors/http/memory-stores.ts';
import { parseRate } from '../../connectors/http/settings.ts';
import type { Limits, LimitStore } from '../../connectors/http/stores.ts';
import { postgresLimitStore } from '../../connectors/postgres/limits.ts';
import { systemClock } from '../../connectors/http/clock.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { attempt, clientOf, FakeClock, failsWith, json, startServer } from './http-kit.ts';

/** The most moments in any window of `per`. */
function most(times: readonly number[], per: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  let from = 0;
  let found = 0;
  for (const [at, time] of sorted.entries()) {
    while ((sorted[from] ?? 0) <= time - per) from += 1;
    found = Math.max(found, at - from + 1);
  }
  return found;
}

/** Moments at which requests were let through, taken greedily from a moment on. */
function greedy(limits: Limits, requests: number, wanted: () => number): number[] {
  const times: number[] = [];
  let state: LimitState = newLimitState;
  let now = 1_750_000_000_123;
  while (times.length < requests) {
    const [next, { granted, wait }] = takePermits(state, limits, Math.min(wanted(), requests - times.length), 1_000, now);
    state = next;
    for (let no = 0; no < granted; no++) times.push(now);
    now += granted > 0 ? 1 : wait;
  }
  return times;
}

describe('limits of a credential', () => {
  it('never more than allowed in any window, whoever asks, whenever it is used', () => {
    const rates = fc.record({ requests: fc.integer({ min: 1, max: 300 }), per: fc.constantFrom(100, 1_000, 3_000, 10_000, 60_000) });
    const asks = fc.array(
      fc.record({
        after: fc.integer({ min: 0, max: 4_000 }),
        wanted: fc.integer({ min: 1, max: 80 }),
        late: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      {
        minLength: 20,
        maxLength: 200,
      },
    );
    fc.assert(
      fc.property(rates, asks, (rate, all) => {
        const times: number[] = [];
        let state: LimitState = newLimitState;
        let now = 1_750_000_000_000;
        for (const { after, wanted, late } of all) {
          now += after;
          const [next, { granted }] = takePermits(state, { rate }, wanted, 1_000, now);
          state = next;
          for (let no = 0; no < granted; no++) times.push(now + late * slackOf(rate.per));
        }
        assert.ok(most(times, rate.per) <= rate.requests);
      }),
      { numRuns: 300 },
    );
  });

  for (const { allowed, ...rate } of [
    { requests: 190, per: 10_000, allowed: 2.6 },
    { requests: 3_000, per: 3_000, allowed: 3.5 },
    { requests: 400, per: 60_000, allowed: 2.6 },
    { requests: 5, per: 1_000, allowed: 5 },
  ]) {
    it(`${rate.requests} per ${rate.per} ms is used to within ${allowed} %`, () => {
      const requests = rate.requests * 20;
      const times = greedy({ rate }, requests, () => 8);
      const took = (times.at(-1) ?? 0) - (times[0] ?? 0);
      // The first window's requests may go at once.
      const theory = ((requests - rate.requests) / rate.requests) * rate.per;
      assert.ok(took <= theory * (1 + allowed / 100), `${took} ms for ${theory}`);
      assert.ok(most(times, rate.per) <= rate.requests);
    });
  }

  it('concurrency is given back, or comes back when its worker died', () => {
    const limits = { concurrency: 3 };
    let [state, permits] = takePermits(newLimitState, limits, 5, 1_000, 10);
    assert.equal(permits.granted, 3);
    [state, permits] = takePermits(state, limits, 1, 1_000, 20);
    assert.deepEqual([permits.granted, permits.reason], [0, 'concurrency']);
    [state, permits] = takePermits(returnPermits(state, 2), limits, 5, 1_000, 30);
    assert.equal(permits.granted, 2);
    [state, permits] = takePermits(state, limits, 5, 1_000, 1_011);
    assert.equal(permits.granted, 1, 'the lease of the first is over');
  });

  it('a daily quota begins again at midnight UTC', () => {
    const evening = Date.parse('2026-01-02T23:00:00Z');
    let [state, permits] = takePermits(newLimitState, { daily: 10 }, 25, 1_000, evening);
    assert.equal(permits.granted, 10);
    [state, permits] = takePermits(state, { daily: 10 }, 1, 1_000, evening + 1);
    assert.deepEqual(permits, { granted: 0, wait: 3_600_000 - 1, reason: 'daily quota' });
    [state, permits] = takePermits(state, { daily: 10 }, 25, 1_000, evening + 3_600_000);
    assert.equal(permits.granted, 10);
  });

  it('reads rates', () => {
    assert.deepEqual(parseRate('190 per 10s'), { requests: 190, per: 10_000 });
    assert.deepEqual(parseRate('400 per minute'), { requests: 400, per: 60_000 });
    assert.deepEqual(parseRate('5/s'), { requests: 5, per: 1_000 });
    for (const text of ['', '0 per s', '190', 'per 10s', '1 per fortnight']) assert.equal(parseRate(text), undefined, text);
  });
});

describe('limiter', () => {
  it('asks the store seldom at high rates, and for no more than is used at low ones', async () => {
    const { limits: store } = memoryStores();
    let asked = 0;
    let granted = 0;
    const counting: LimitStore = {
      ...store,
      async take(...parts) {
        asked += 1;
        const permits = await store.take(...parts);
        granted += permits.granted;
        return permits;
      },
    };
    const options = { name: 'crm', store: counting, credential: 'c', lease: 1_000, clock: systemClock };
    await using fast = new Limiter({ ...options, limits: { rate: { requests: 100_000, per: 10_000 } } });
    for (let no = 0; no < 2_000; no++) await fast.enter(1_000, attempt.signal);
    assert.ok(asked < 200, `asked ${asked} times`);
    granted = 0;
    await using slow = new Limiter({ ...options, credential: 'd', limits: { rate: { requests: 10, per: 10_000 } } });
    for (let no = 0; no < 5; no++) await slow.enter(1_000, attempt.signal);
    assert.equal(granted, 5);
  });

  it('asks for more before its leave is used up, so that requests go on meanwhile', async () => {
    const clock = new FakeClock();
    const { limits: store } = memoryStores(clock);
    let answer = (): void => undefined;
    let answers: Promise<void> = Promise.resolve();
    let isAsked = false;
    const slow: LimitStore = {
      ...store,
      async take(...parts) {
        isAsked = true;
        await answers;
        return await store.take(...parts);
      },
    };
    const limits = { rate: { requests: 100_000, per: 10_000 } };
    await using limiter = new Limiter({ name: 'crm', store: slow, credential: 'c', limits, lease: 1_000, clock });
    for (let no = 0; no < 100; no += 1) await limiter.enter(1_000, attempt.signal);
    answers = new Promise((resolve) => (answer = resolve));
    isAsked = false;
    while (!isAsked) await limiter.enter(1_000, attempt.signal);
    for (let no = 0; no < 10; no += 1) await limiter.enter(1_000, attempt.signal);
    answer();
  });

  it('waits as long as it may, then says how long is left', async () => {
    const clock = new FakeClock();
    const { limits: store } = memoryStores(clock);
    await using limiter = new Limiter({
      name: 'crm',
      store,
      credential: 'c',
      limits: { rate: { requests: 2, per: 10_000 } },
      lease: 1_000,
      clock,
    });
    await limiter.enter(0, attempt.signal);
    await limiter.enter(0, attempt.signal);
    const refused = failsWith('rate-limited', ({ retryAfter = 0, message }) => {
      assert.ok(retryAfter > 9_000 && retryAfter <= 10_400);
      assert.match(message, /crm.*rate/);
    });
    await assert.rejects(limiter.enter(5_000, attempt.signal), refused);
    const before = clock.now();
    await limiter.enter(15_000, attempt.signal);
    assert.ok(clock.now() - before >= 10_000);
  });

  it('who was aborted takes nothing from others', async () => {
    const { limits: store } = memoryStores();
    await using limiter = new Limiter({
      name: 'crm',
      store,
      credential: 'c',
      limits: { concurrency: 1 },
      lease: 60_000,
      clock: systemClock,
    });
    await limiter.enter(1_000, attempt.signal);
    const controller = new AbortController();
    const aborted = limiter.enter(10_000, controller.signal);
    const next = limiter.enter(10_000, attempt.signal);
    controller.abort(new Error('cancelled'));
    await assert.rejects(aborted, /cancelled/);
    limiter.leave();
    await next;
  });

  it('a client never has more requests under way than its concurrency', async () => {
    let [underWay, most] = [0, 0];
    await using server = await startServer((_request, response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      setTimeout(() => {
        underWay -= 1;
        json(response, 200, {});
      }, 5);
    });
    await using client = clientOf(server.url, { settings: { concurrency: 3 } });
    const write = { method: 'POST', path: '/x', body: {}, repeatable: false } as const;
    await Promise.all(Array.from({ length: 30 }, async () => await client.request(write, attempt)));
    assert.equal(most, 3);
  });
});

describe('limits in PostgreSQL', () => {
  let database: string;
  before(async () => {
    database = await createDatabase('http_limits');
  });
  after(async () => await dropDatabase(database));
  const open = (): LimitStore & AsyncDisposable => postgresLimitStore({ type: 'postgres', url: database }, 'books');

  it('two workers together never pass more than allowed in any window, and use what is allowed', async () => {
    const rate = { requests: 60, per: 500 };
    const times: number[] = [];
    const until = performance.now() + 3_000;
    const work = async (limiter: Limiter): Promise<void> => {
      while (performance.now() < until) {
        await limiter.enter(5_000, attempt.signal);
        times.push(performance.now());
      }
    };
    const worker = async (): Promise<void> => {
      await using store = open();
      await using limiter = new Limiter({ name: 'crm', store, credential: 'rate', limits: { rate }, lease: 1_000, clock: systemClock });
      await Promise.all(Array.from({ length: 6 }, async () => await work(limiter)));
    };
    await Promise.all([worker(), worker()]);
    assert.ok(most(times, rate.per) <= rate.requests, `${most(times, rate.per)} in a window`);
    const took = Math.max(...times) - Math.min(...times);
    const theory = rate.requests + (took / rate.per) * rate.requests;
    assert.ok(times.length >= theory * 0.7, `${times.length} of ${theory}`);
  });

  it('concurrency is shared, given back, and a pause of one worker holds for all', async () => {
    await using one = open();
    await using two = open();
    const limits = { concurrency: 4 };
    const [a, b] = await Promise.all([one.take('c', limits, 3, 60_000), two.take('c', limits, 3, 60_000)]);
    assert.equal(a.granted + b.granted, 4);
    await one.giveBack('c', a.granted);
    assert.equal((await two.take('c', limits, 9, 60_000)).granted, a.granted);
    await one.pause('p', 20_000);
    await two.pause('p', 1_000);
    const { granted, wait, reason } = await two.take('p', {}, 1, 1_000);
    assert.deepEqual([granted, reason], [0, 'asked to wait']);
    assert.ok(wait > 15_000 && wait <= 20_000);
  });

  it('a store whose connection was cut goes on over another', async () => {
    await using store = open();
    await store.take('k', { daily: 5 }, 2, 1_000);
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: database });
    await client.connect();
    await client.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await client.end();
    assert.equal((await store.take('k', { daily: 5 }, 9, 1_000)).granted, 3);
  });
});
