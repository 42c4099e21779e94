import assert from 'node:assert/strict';
import type { Trouble } from '../fakes/fake.ts';
import { type ApplicationCase, type Bench, failureOf, fateOf, outcomesOf } from './application-case.ts';
import { testAttempt } from './source.ts';

/** What an application over HTTP keeps when the network or the vendor fails. */
export function describeApplicationHttp<System extends AsyncDisposable>(
  bench: Bench<System>,
  http: NonNullable<ApplicationCase<System>['http']>,
): void {
  const { given } = bench;
  const operation = http.operation ?? bench.first;

  /** The fate of a batch whose first write meets trouble, and that of the same batch afterwards, settled as declared. */
  const fates = async (trouble: Trouble): Promise<{ first: string; effects: number; settled: string }> => {
    await using system = await given.start();
    await using application = await bench.open(system);
    const fake = http.fake(system);
    const batch = await bench.prepared(system, operation, 2);
    const before = fake.effects.length;
    fake.trouble({ matches: (request) => http.isWrite(request), ...trouble });
    const first = await fateOf(application, batch, given.secrets);
    const effects = fake.effects.length - before;
    const found = application.writes[operation] === 'lookup' ? await application.find?.(batch.rows, testAttempt()) : undefined;
    const rows = batch.rows.filter((_, no) => found?.[no] === undefined);
    const settled = rows.length === 0 ? 'found' : await fateOf(application, { operation, rows }, given.secrets);
    for (const row of batch.rows) await bench.assertDone(system, operation, row);
    assert.deepEqual(bench.doubled(system), []);
    return { first, effects, settled };
  };

  it('an answer that is lost after the effect is unknown, and settles without a second effect', async () => {
    const { first, settled } = await fates({ cut: 'after' });
    assert.equal(first, 'unknown');
    assert.match(settled, /^(found|acknowledged)$/);
  });

  it('an answer that is cut short is unknown', async () => {
    const { first, settled } = await fates({ garble: (text) => `${text.slice(0, text.length / 2)}` });
    assert.equal(first, 'unknown');
    assert.match(settled, /^(found|acknowledged)$/);
  });

  it('a page of HTML under 200 is never a success', async () => {
    const { first } = await fates({ answer: { status: 200, body: '<html><body>Maintenance</body></html>' } });
    assert.equal(first, 'unknown');
  });

  it('a server error is never a success', async () => {
    const { first } = await fates({ answer: { status: 503, body: { message: 'try again' } } });
    assert.equal(first, http.serverError ?? 'unknown');
  });

  it('a connection that ends before any answer is never a success', async () => {
    const { first, effects } = await fates({ cut: 'before' });
    assert.match(first, /^(unknown|unavailable)$/);
    assert.equal(effects, 0);
  });

  it('throttling for long throws rate-limited with the wait that was asked for, and has no effect', () =>
    bench.with(async (application, system) => {
      const fake = http.fake(system);
      const batch = await bench.prepared(system, operation, 2);
      const before = fake.effects.length;
      fake.trouble({ matches: (request) => http.isWrite(request), answer: http.throttled(90_000) });
      const failure = await failureOf(outcomesOf(application, batch), given.secrets);
      assert.equal(failure.code, 'rate-limited');
      assert.ok(
        failure.retryAfter !== undefined && failure.retryAfter > 30_000 && failure.retryAfter <= 180_000,
        String(failure.retryAfter),
      );
      assert.equal(fake.effects.length, before);
    }));

  it('throttling for a moment is waited for, or told', () =>
    bench.with(async (application, system) => {
      const batch = await bench.prepared(system, operation, 2);
      http.fake(system).trouble({ matches: (request) => http.isWrite(request), answer: http.throttled(1000) });
      assert.match(await fateOf(application, batch, given.secrets), /^(acknowledged|again|rate-limited)$/);
    }));

  if (given.hasCredential !== false) {
    it('a refused credential throws auth', () =>
      bench.with(
        async (application, system) => {
          const batch = await bench.prepared(system, operation, 2);
          const failure = await failureOf(outcomesOf(application, batch), given.secrets);
          assert.equal(failure.code, 'auth');
        },
        { wrongCredential: true },
      ));
  }

  const { wholeRefusal } = http;
  if (wholeRefusal === undefined) return;
  it('a batch that is refused as a whole throws rejected, or says so for each row', () =>
    bench.with(async (application, system) => {
      const batch = await bench.prepared(system, operation, 3);
      http.fake(system).trouble({ matches: (request) => http.isWrite(request), answer: wholeRefusal });
      assert.equal(await fateOf(application, batch, given.secrets), 'rejected');
    }));
}
