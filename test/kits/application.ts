import assert from 'node:assert/strict';
import type { Application } from '../../connectors/application.ts';
import type { Operation } from '../../schema/sync.ts';
import { assertSecretFree, Bench, failureOf, fateOf, outcomesOf, outgoing, pollJobs, type ApplicationCase } from './application-case.ts';
import { describeApplicationHttp } from './application-http.ts';
import { testAttempt } from './source.ts';

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

const removing: ReadonlySet<Operation> = new Set(['delete', 'archive', 'remove']);

/** The promises that every application keeps, whatever it is. */
export function describeApplication<System extends AsyncDisposable>(given: ApplicationCase<System>): void {
  const bench = new Bench(given);
  describe(`${given.name}, as every application`, () => {
    describeChecks(bench);
    for (const operation of given.operations) describeOperation(bench, operation);
    describeOutcomes(bench);
    describeLookups(bench);
    describeJobs(bench);
    if (given.http !== undefined) describeApplicationHttp(bench, given.http);
  });
}

function describeChecks<System extends AsyncDisposable>(bench: Bench<System>): void {
  const { given } = bench;
  it('check finds nothing wrong where nothing is', () =>
    bench.with(async (application) => {
      const report = await application.check(testAttempt());
      assert.deepEqual(report.problems, []);
      assert.notEqual(report.system, '');
    }));

  if (given.hasCredential !== false) {
    it('check reports a refused credential as a problem, without the credential', () =>
      bench.with(
        async (application) => {
          const report = await application.check(testAttempt());
          assert.notEqual(report.problems.length, 0);
          assertSecretFree(JSON.stringify(report), given.secrets);
        },
        { wrongCredential: true },
      ));
  }

  it('describe gives the fields that are written and matched', () =>
    bench.with(async (application) => {
      const { fields, closed } = await application.describe(testAttempt());
      const names = fields.map(({ name }) => name);
      assert.equal(new Set(names).size, names.length, 'each once');
      const { match, fields: mapped } = given.row(1, 0);
      const expected = given.described ?? (closed ? [...Object.keys(match), ...Object.keys(mapped)] : []);
      for (const name of expected) assert.ok(names.includes(name), `${name} among ${names.join(', ')}`);
    }));

  it('declares the operations of its object, with limits that make sense', () =>
    bench.with(async (application) => {
      const { writes, limits } = application;
      assert.deepEqual(Object.keys(writes).toSorted(), given.operations.toSorted());
      for (const limit of [limits.batchRows, limits.batchBytes, limits.concurrency, limits.requestTimeout]) assert.ok(limit > 0);
      if (Object.values(writes).includes('lookup')) assert.ok('find' in application, 'what settles by lookup can be found');
      if (limits.jobs !== undefined) assert.ok('poll' in application, 'what starts jobs polls them');
    }));

  const { missing } = given;
  if (missing === undefined) return;
  it('describe of an object that is not there names the nearest', () =>
    bench.with(
      async (application) => {
        const failure = await failureOf(application.describe(testAttempt()), given.secrets);
        assert.equal(failure.code, 'not-found');
        assert.ok(failure.message.includes(missing.nearest), failure.message);
      },
      { request: { match: [], fields: [], write: {}, ...given.request, object: missing.object } },
    ));
}

function describeOperation<System extends AsyncDisposable>(bench: Bench<System>, operation: Operation): void {
  const { given } = bench;
  it(`${operation} does what it says, and says so for each row in order`, () =>
    bench.with(async (application, system) => {
      const batch = await bench.prepared(system, operation, 3);
      const outcomes = await outcomesOf(application, batch);
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['acknowledged', 'acknowledged', 'acknowledged'],
        JSON.stringify(outcomes),
      );
      for (const row of batch.rows) await bench.assertDone(system, operation, row);
    }));

  it(`${operation} twice is ${operation} once in effect, as its settling says`, () =>
    bench.with(async (application, system) => {
      const batch = await bench.prepared(system, operation, 2);
      await outcomesOf(application, batch);
      const settling = application.writes[operation];
      if (settling === 'upsert' || settling === 'idempotency-key') {
        const again = await outcomesOf(application, batch);
        assert.deepEqual(
          again.map(({ status }) => status),
          ['acknowledged', 'acknowledged'],
          JSON.stringify(again),
        );
      } else if (settling === 'lookup') {
        const found = await application.find?.(batch.rows, testAttempt());
        assert.ok(
          found?.every((id) => id !== undefined),
          'what was written is found',
        );
      }
      for (const row of batch.rows) await bench.assertDone(system, operation, row);
      assert.deepEqual(bench.doubled(system), []);
    }));

  if (removing.has(operation)) {
    it(`${operation} of what is not there is done already`, () =>
      bench.with(async (application) => {
        const fate = await fateOf(application, { operation, rows: bench.rows(2) }, given.secrets);
        assert.equal(fate, 'acknowledged');
      }));
  }
  const { createOfExisting = 'rejected' } = given;
  if (operation !== 'create' || createOfExisting === 'created') return;
  it(`create of what is there is ${createOfExisting}, and makes no second`, () =>
    bench.with(async (application, system) => {
      const batch = await bench.prepared(system, 'create', 1);
      await outcomesOf(application, batch);
      assert.equal(await fateOf(application, batch, given.secrets), createOfExisting);
      assert.deepEqual(bench.doubled(system), []);
    }));
}

function describeOutcomes<System extends AsyncDisposable>(bench: Bench<System>): void {
  const { given } = bench;
  const { refused, capOperation = bench.first } = given;
  if (refused !== undefined) {
    it('a batch that is partly refused says which rows and why, or is refused as a whole without effect', () =>
      bench.with(async (application, system) => {
        const { operation, rows } = await bench.prepared(system, refused.operation, 3);
        const [one, two, three] = rows;
        assert.ok(one && two && three);
        const bad = outgoing(9, refused.row(9));
        if (operation !== 'create' && operation !== 'upsert') await given.seed(system, [refused.row(9)], operation);
        await assertPart(bench, application, system, { operation, rows: [one, bad, two, three] });
      }));
  }

  it('a batch of batchRows is taken', () =>
    bench.with(async (application, system) => {
      const { batchRows } = application.limits;
      const count = Math.min(batchRows, 5_000);
      const batch = await bench.prepared(system, capOperation, count);
      const outcomes = await outcomesOf(application, batch);
      assert.equal(outcomes.length, count);
      assert.deepEqual([...new Set(outcomes.map(({ status }) => status))], ['acknowledged'], JSON.stringify(outcomes[0]));
      for (const row of [batch.rows[0], batch.rows.at(-1)]) if (row) await bench.assertDone(system, capOperation, row);
    }));

  if (given.capped === false) return;
  it('batchRows is the cap of the system: it takes no row more', () =>
    bench.with(async (application, system) => {
      const batch = await bench.prepared(system, capOperation, application.limits.batchRows + 1);
      assert.match(await fateOf(application, batch, given.secrets), /^(rejected|config)$/);
    }));
}

/** The second of four rows is bad: it alone is refused, in this batch or alone. */
async function assertPart<System extends AsyncDisposable>(
  { given }: Bench<System>,
  application: Application,
  system: System,
  batch: Parameters<typeof outcomesOf>[1],
): Promise<void> {
  const before = given.http?.fake(system).effects.length ?? 0;
  const sent = await outcomesOf(application, batch).then(
    (outcomes) => ({ outcomes }),
    (error: unknown) => ({ error }),
  );
  if ('error' in sent) {
    const failure = await failureOf(Promise.reject(sent.error), given.secrets);
    assert.equal(failure.code, 'rejected');
    assert.equal(given.http?.fake(system).effects.length ?? 0, before, 'a refused batch has no effect');
    const alone = [];
    for (const row of batch.rows) alone.push(await fateOf(application, { ...batch, rows: [row] }, given.secrets));
    return assert.deepEqual(alone, ['acknowledged', 'rejected', 'acknowledged', 'acknowledged']);
  }
  assert.deepEqual(
    sent.outcomes.map(({ status }) => status),
    ['acknowledged', 'rejected', 'acknowledged', 'acknowledged'],
    JSON.stringify(sent.outcomes),
  );
  const [, refusal] = sent.outcomes;
  assert.ok(refusal?.status === 'rejected' && refusal.reason !== '', 'the reason is told');
  assertSecretFree(refusal.reason, given.secrets);
}

function describeLookups<System extends AsyncDisposable>(bench: Bench<System>): void {
  for (const operation of ['create', 'add'] as const) {
    if (!bench.given.operations.includes(operation)) continue;
    it(`find finds what ${operation} wrote and nothing else, in order, where it settles by lookup`, () =>
      bench.with(async (application, system) => {
        if (application.writes[operation] !== 'lookup') return;
        const { rows } = await bench.prepared(system, operation, 3);
        const [one, two, three] = rows;
        assert.ok(application.find && one && two && three);
        assert.deepEqual(await application.find(rows, testAttempt()), [undefined, undefined, undefined]);
        await outcomesOf(application, { operation, rows: [one, three] });
        const found = await application.find(rows, testAttempt());
        assert.deepEqual(
          found.map((id) => id !== undefined),
          [true, false, true],
        );
      }));
  }
}

function describeJobs<System extends AsyncDisposable>(bench: Bench<System>): void {
  const { given } = bench;
  if (!('loseJob' in given)) return;
  it('a job that is polled again after its end tells the same', () =>
    bench.with(async (application, system) => {
      const batch = await bench.prepared(system, bench.first, 3);
      const sent = await application.send(batch, testAttempt());
      assert.ok('handle' in sent, 'it is a job');
      assertSecretFree(sent.handle, given.secrets);
      const statuses: string[] = [];
      for (let turn = 0; turn < 200 && statuses.length < 2; turn += 1) {
        const [polled] = await pollJobs(application, [{ handle: sent.handle, batch }]);
        await pause();
        if (polled !== undefined && 'outcomes' in polled) statuses.push(JSON.stringify(polled.outcomes.map(({ status }) => status)));
      }
      assert.deepEqual(statuses, Array<string>(2).fill(JSON.stringify(Array<string>(3).fill('acknowledged'))));
      assert.deepEqual(bench.doubled(system), []);
    }));

  it('a job that the system has forgotten is lost, and its neighbour is not', () =>
    bench.with(async (application, system) => {
      const batch = await bench.prepared(system, bench.first, 4);
      const halves = [batch.rows.slice(0, 2), batch.rows.slice(2)].map((rows) => ({ ...batch, rows }));
      const jobs = [];
      for (const half of halves) {
        const sent = await application.send(half, testAttempt());
        assert.ok('handle' in sent, 'it is a job');
        jobs.push({ handle: sent.handle, batch: half });
      }
      given.loseJob?.(system, jobs[0]?.handle ?? '');
      for (let turn = 0; turn < 200; turn += 1) {
        const [lost = {}, kept = {}] = await pollJobs(application, jobs);
        assert.deepEqual(Object.keys(lost), ['lost'], JSON.stringify(lost));
        if ('outcomes' in kept) return;
        await pause();
      }
      assert.fail('the other job never ended');
    }));
}
