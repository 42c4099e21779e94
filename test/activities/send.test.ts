import assert from 'node:assert/strict';
import type { RecordedRow } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Settling } from '../../schema/sync.ts';
import { startLedgered, type Ledgered } from '../fakes/ledgered.ts';
import { memoryRun } from '../kits/memory-sync-books.ts';
import { testAttempt } from '../kits/source.ts';
import { until } from '../workflows/until.ts';
import { atFirst, planOf, sendingOf, type Sending } from './send-kit.ts';

const outcomes = ({ books }: Sending, outcome: RecordedRow['outcome']): readonly number[] =>
  [...books.outcomes.values()]
    .filter((row) => row.outcome === outcome)
    .map(({ no }) => no)
    .toSorted((a, b) => a - b);

describe('rows on their way to an application', function () {
  this.timeout(20_000);
  let ledgered: Ledgered;
  beforeEach(async () => void (ledgered = await startLedgered()));
  afterEach(() => ledgered[Symbol.asyncDispose]());

  const createsOf = (key: string): number => ledgered.effectsOf(key).filter(({ operation }) => operation === 'create').length;

  it('arrive in full batches, each once, and every outcome is in the books', async () => {
    const sending = sendingOf(ledgered, planOf(5050), { settings: { requestTimeout: 60_000 }, pace: { slice: 600_000, lease: 600_000 } });
    // The first record lasts until others wait for the next.
    let isFirst = true;
    sending.books.onRecord = async () => {
      if (isFirst) await until(() => ledgered.requests.length === 51, 'every request');
      isFirst = false;
    };
    const progress = await sending.all();
    assert.equal(ledgered.requests.length, 51);
    assert.equal(ledgered.effects.length, 5050);
    assert.deepEqual([progress.sent, progress.position, progress.counts.acknowledged], [true, 5051, 5050]);
    assert.ok(sending.books.calls.record < 51, 'outcomes are recorded in groups');
    const [first] = ledgered.state.objects.get('k1') ?? [];
    assert.deepEqual(first?.fields, { value: 'value 1' });
    assert.equal(sending.books.outcomes.get(1)?.remoteId, first?.id);
  });

  it('wait for a limit within one step, though the wait is longer than its time', async () => {
    ledgered.latency = 300;
    const sending = sendingOf(ledgered, planOf(300), {
      settings: { concurrency: 1, requestTimeout: 60_000 },
      pace: { slice: 250, lease: 60_000 },
    });
    const { progress } = await sending.slice();
    assert.deepEqual([progress.sent, ledgered.requests.length], [true, 3]);
  });

  it('D1: a batch of which a part is refused has an outcome for each row', async () => {
    ledgered.state.refused.set('k3', 'no such country').set('k90', 'no such plan');
    const sending = sendingOf(ledgered, planOf(100));
    await sending.all();
    assert.equal(ledgered.requests.length, 1);
    assert.deepEqual(outcomes(sending, 'rejected'), [3, 90]);
    assert.equal(sending.books.outcomes.get(3)?.reason, 'no such country');
    assert.equal(outcomes(sending, 'acknowledged').length, 98);
  });

  for (const bad of [1, 57, 100]) {
    it(`D2: row ${bad} poisons its batch; it stands alone after 2 log2 n requests at most`, async () => {
      ledgered.state.poisoned.add(`k${bad}`);
      const sending = sendingOf(ledgered, planOf(100));
      await sending.all();
      assert.deepEqual(outcomes(sending, 'rejected'), [bad]);
      assert.equal(sending.books.outcomes.get(bad)?.reason, 'a row of the batch is malformed');
      assert.equal(ledgered.effects.length, 99);
      assert.ok(ledgered.requests.length <= 2 * Math.log2(100), `${ledgered.requests.length} requests`);
    });
  }

  it('D2: several poisoned rows are found, and their neighbours pass', async () => {
    for (const no of [2, 3, 50, 77]) ledgered.state.poisoned.add(`k${no}`);
    const sending = sendingOf(ledgered, planOf(100));
    await sending.all();
    assert.deepEqual(outcomes(sending, 'rejected'), [2, 3, 50, 77]);
    assert.equal(outcomes(sending, 'acknowledged').length, 96);
    assert.ok(ledgered.requests.length <= 4 * 2 * Math.log2(100));
  });

  it('a locked row is sent again within the run, and refused when it stays locked', async () => {
    ledgered.state.locked.set('k5', 2).set('k6', 100);
    const sending = sendingOf(ledgered, planOf(10));
    await sending.all();
    assert.equal(ledgered.effectsOf('k5').length, 1);
    assert.deepEqual(outcomes(sending, 'rejected'), [6]);
    assert.match(sending.books.outcomes.get(6)?.reason ?? '', /after 6 tries: somebody else writes it/);
  });

  describe('D3: whose answer is lost after the effect', () => {
    const lose = async (settling: Settling, whenUnknown: 'at-most-once' | 'at-least-once' = 'at-most-once'): Promise<Sending> => {
      ledgered.trouble({ cut: 'after', matches: ({ path }) => path === '/batch' });
      const operation = settling === 'upsert' ? 'upsert' : 'create';
      const sending = sendingOf(ledgered, planOf(20, { operation }), {
        settings: { settles: { [operation]: settling } },
        sync: { mode: operation === 'upsert' ? 'upsert' : 'insert', whenUnknown },
      });
      await sending.all();
      return sending;
    };

    for (const settling of ['upsert', 'idempotency-key', 'lookup'] as const) {
      it(`are created once and acknowledged, where it settles by ${settling}`, async () => {
        const sending = await lose(settling);
        assert.equal(outcomes(sending, 'acknowledged').length, 20);
        for (let no = 1; no <= 20; no += 1) assert.equal(createsOf(`k${no}`), 1);
        assert.ok(sending.books.outcomes.get(1)?.remoteId !== undefined);
      });
    }

    it('are parked as unknown, where nothing settles it and once is the most', async () => {
      const sending = await lose('none');
      assert.equal(outcomes(sending, 'unknown').length, 20);
      for (let no = 1; no <= 20; no += 1) assert.equal(createsOf(`k${no}`), 1);
    });

    it('are sent again and flagged, where nothing settles it and once is the least', async () => {
      const sending = await lose('none', 'at-least-once');
      assert.equal(outcomes(sending, 'acknowledged').length, 20);
      assert.equal(createsOf('k1'), 2);
      assert.match(sending.books.outcomes.get(1)?.reason ?? '', /may be there twice/);
    });
  });

  it('D3: a look-up that finds nothing lets the rows be sent', async () => {
    ledgered.trouble({ cut: 'before', matches: ({ path }) => path === '/batch' });
    const sending = sendingOf(ledgered, planOf(20, { operation: 'create' }), {
      settings: { settles: { create: 'lookup' } },
      sync: { mode: 'insert' },
    });
    await sending.all();
    assert.equal(outcomes(sending, 'acknowledged').length, 20);
    for (let no = 1; no <= 20; no += 1) assert.equal(createsOf(`k${no}`), 1);
  });

  describe('D4: of an attempt that dies between effect and record', () => {
    const die = async (settling: Settling): Promise<Sending> => {
      const operation = settling === 'upsert' ? 'upsert' : 'create';
      const sending = sendingOf(ledgered, planOf(300, { operation }), {
        settings: { settles: { [operation]: settling }, concurrency: 2 },
        sync: { mode: operation === 'upsert' ? 'upsert' : 'insert' },
      });
      let records = 0;
      sending.books.onRecord = () => {
        records += 1;
        if (records === 2) throw new Error('the process ends here');
      };
      const torn = await sending.slice();
      assert.match(String(torn.stopped?.error), /the process ends here/);
      sending.books.onRecord = () => undefined;
      await sending.all();
      return sending;
    };

    for (const settling of ['upsert', 'idempotency-key', 'lookup'] as const) {
      it(`every row is there once, where it settles by ${settling}`, async () => {
        const sending = await die(settling);
        assert.equal(outcomes(sending, 'acknowledged').length, 300);
        for (let no = 1; no <= 300; no += 1) assert.equal(createsOf(`k${no}`), 1, `k${no}`);
      });
    }

    it('rows that nothing settles are parked, and none is there twice or lost without a word', async () => {
      const sending = await die('none');
      const parked = outcomes(sending, 'unknown');
      assert.ok(parked.length > 0);
      assert.equal(parked.length + outcomes(sending, 'acknowledged').length, 300);
      for (let no = 1; no <= 300; no += 1) assert.equal(createsOf(`k${no}`), 1, `k${no}`);
    });
  });

  it('D5: are there before those of the next operation begin', async () => {
    const plan = [
      ...planOf(150),
      ...planOf(150).map((row) => ({ ...row, no: row.no + 150, operation: 'delete' as const, change: 'removed' as const })),
    ];
    ledgered.trouble({ slowAfter: 100 });
    const sending = sendingOf(ledgered, plan, { settings: { settles: { upsert: 'upsert', delete: 'upsert' } } });
    await sending.all();
    assert.equal(ledgered.state.objects.size, 0);
    assert.equal(ledgered.effectsOf('k1').at(-1)?.operation, 'delete');
  });

  it('a zombie sends nothing more once another attempt holds the books and its proof is old', async () => {
    ledgered.latency = 30;
    const sending = sendingOf(ledgered, planOf(5000), { settings: { concurrency: 1, requestTimeout: 300 } });
    const hold = await sending.books.hold(memoryRun, testAttempt());
    const zombie = sending.slice({ hold });
    await until(() => ledgered.requests.length > 2, 'requests of the zombie');
    const next = await sending.books.hold(memoryRun, testAttempt());
    assert.equal(next.wait, true);
    const { stopped } = await zombie;
    assert.ok(stopped?.error instanceof MillraceError);
    assert.equal(stopped.error.code, 'fenced');
    const before = ledgered.requests.length;
    assert.ok(before < 20, `${before} requests`);
    const progress = await sending.slice({ hold: next });
    assert.equal(progress.progress.counts.acknowledged, 5000);
  });

  it('of a cancelled attempt: no new request, and the answers of those under way are recorded', async () => {
    ledgered.latency = 50;
    const sending = sendingOf(ledgered, planOf(5000), { settings: { concurrency: 4 } });
    const controller = new AbortController();
    const going = sending.slice({ attempt: testAttempt(controller.signal) });
    await until(() => ledgered.requests.length >= 8, 'some requests');
    controller.abort(new Error('cancelled by the test'));
    const { stopped } = await going;
    assert.match(String(stopped?.error), /cancelled by the test/);
    assert.equal(ledgered.effects.length, sending.books.outcomes.size);
    assert.ok(ledgered.requests.length < 20);
  });

  it('a credential that is refused ends the attempt with that one error, and nothing is rejected', async () => {
    ledgered.trouble({ answer: { status: 401 }, times: 1000 });
    const sending = sendingOf(ledgered, planOf(5000));
    const { stopped } = await sending.slice();
    assert.ok(stopped?.error instanceof MillraceError && stopped.error.code === 'auth');
    assert.equal(sending.books.outcomes.size, 0);
    assert.ok(ledgered.requests.length <= 8);
  });

  it('a long wait for a rate limit ends the attempt, and says for how long', async () => {
    ledgered.trouble({ answer: { status: 429, headers: { 'retry-after': '90' } } });
    const sending = sendingOf(ledgered, planOf(300), { settings: { concurrency: 1 } });
    const { stopped } = await sending.slice();
    assert.ok(stopped?.error instanceof MillraceError);
    assert.deepEqual([stopped.error.code, stopped.error.retryAfter], ['rate-limited', 90_000]);
    assert.equal((await sending.slice()).progress.sent, true);
    assert.equal(ledgered.effects.length, 300);
  });

  it('a row that never gets an answer is given up alone, while its neighbours pass', async () => {
    const matches = ({ text }: { readonly text: string }): boolean => text.includes('"k42"');
    ledgered.trouble({ matches, answer: { status: 500 }, times: 1000 });
    const sending = sendingOf(ledgered, planOf(1000), { pace: { pause: () => 40 } });
    await sending.slice({ stubborn: true });
    assert.deepEqual(outcomes(sending, 'rejected'), [42]);
    assert.equal(outcomes(sending, 'acknowledged').length, 999);
  });

  it('an application that answers nothing at all rejects nothing: the attempt ends as unavailable', async () => {
    ledgered.trouble({ answer: { status: 503 }, times: 1000 });
    const sending = sendingOf(ledgered, planOf(300));
    const { stopped } = await sending.slice();
    assert.ok(stopped?.error instanceof MillraceError && stopped.error.code === 'unavailable');
    assert.equal(sending.books.outcomes.size, 0);
  });

  it('an application that stays down has a few rows given up at most, for it may stumble over one of them', async () => {
    ledgered.trouble({ answer: { status: 500 }, times: 10_000 });
    const sending = sendingOf(ledgered, planOf(1000), { pace: { pause: () => 1 } });
    const { stopped } = await sending.slice({ stubborn: true });
    assert.ok(stopped?.error instanceof MillraceError && stopped.error.code === 'unavailable');
    const most = 3 + sending.application.limits.concurrency;
    assert.ok(sending.books.outcomes.size > 0 && sending.books.outcomes.size <= most, `${sending.books.outcomes.size} rows were given up`);
    assert.ok(ledgered.requests.length < 300, `${ledgered.requests.length} requests`);
  });

  it('rows that surely were not taken are not noted as sent', async () => {
    const sending = sendingOf(ledgered, planOf(10, { operation: 'create' }), {
      settings: { settles: { create: 'none' } },
      sync: { mode: 'insert' },
    });
    ledgered.trouble({ answer: { status: 429, headers: { 'retry-after': '90' } } });
    await sending.slice();
    assert.equal(sending.books.sent.size, 0);
    assert.equal((await sending.all()).counts.acknowledged, 10);
  });

  it('of a job belong to it: they are handed over once, and the step ends when no further job may be begun', async () => {
    ledgered.state.jobs = true;
    const sending = sendingOf(ledgered, planOf(500), { settings: { jobs: 2, concurrency: 4 } });
    const { progress } = await sending.slice();
    assert.equal(progress.jobs.length, 2);
    assert.deepEqual(progress.jobs[0]?.rows, [[1, 100]]);
    assert.deepEqual([progress.sent, progress.position, ledgered.effects.length], [false, 201, 0]);
    const again = await sending.slice({ progress: { ...atFirst, jobs: progress.jobs } });
    assert.equal(again.progress.jobs.length, 2);
    assert.equal(ledgered.requests.length, 2);
  });
});
