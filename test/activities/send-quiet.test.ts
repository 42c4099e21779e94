import assert from 'node:assert/strict';
import { MillraceError } from '../../schema/errors.ts';
import { withHold } from '../../activities/send/hold.ts';
import { startLedgered, type Ledgered } from '../fakes/ledgered.ts';
import { memoryRun, memorySyncBooks } from '../kits/memory-sync-books.ts';
import { testAttempt } from '../kits/source.ts';
import { planOf, sendingOf } from './send-kit.ts';

describe('books of a sync are let go when nothing is under way any more', function () {
  this.timeout(20_000);
  let ledgered: Ledgered;
  beforeEach(async () => void (ledgered = await startLedgered()));
  afterEach(() => ledgered[Symbol.asyncDispose]());

  const attempt = testAttempt();
  const patience = { attempt, patient: attempt, wait: 60, progress: undefined };
  const refused = { matches: ({ text }: { readonly text: string }) => text.includes('"k300"'), answer: { status: 401 } };
  const creates = {
    settings: { settles: { create: 'lookup' as const }, concurrency: 4, requestTimeout: 2000 },
    sync: { mode: 'insert' as const },
  };

  it('a request whose answer was lost may have its effect still when the sending ends for another reason', async () => {
    const sending = sendingOf(ledgered, planOf(400, { operation: 'create' }), creates);
    ledgered.trouble({ matches: ({ text }) => text.includes('"k1"'), cut: 'before' });
    ledgered.trouble({ ...refused, slowBefore: 50 });
    const { stopped, isQuiet } = await sending.slice();
    assert.ok(stopped?.error instanceof MillraceError && stopped.error.code === 'auth');
    assert.equal(isQuiet, false);
  });

  it('all is quiet when every request was answered', async () => {
    const sending = sendingOf(ledgered, planOf(400, { operation: 'create' }), creates);
    ledgered.trouble(refused);
    assert.equal((await sending.slice()).isQuiet, true);
  });

  it('another attempt at the same values need not wait for them, where twice is as once; another run has to', async () => {
    const settings = { concurrency: 4, requestTimeout: 2000 };
    const lost = { matches: ({ text }: { readonly text: string }) => text.includes('"k1"'), cut: 'before' as const };
    const busy = { ...refused, slowBefore: 50, answer: { status: 429, headers: { 'retry-after': '90' } } };
    const sending = sendingOf(ledgered, planOf(400), { settings });
    ledgered.trouble(lost);
    ledgered.trouble(busy);
    assert.equal((await sending.slice()).isQuiet, true);
    const other = sendingOf(ledgered, planOf(400), { settings });
    ledgered.trouble(lost);
    assert.deepEqual([(await other.slice()).isQuiet, other.books.outcomes.size], [false, 400]);
  });

  it('who was told so does not let go', async () => {
    const books = memorySyncBooks([]);
    await withHold(books, memoryRun, patience, async (_hold, keep) => keep());
    assert.equal((await books.hold(memoryRun, attempt)).wait, true);
    await assert.rejects(
      withHold(books, memoryRun, patience, async (_hold, keep) => {
        keep();
        throw new Error('stopped');
      }),
    );
    assert.equal((await books.hold(memoryRun, attempt)).wait, true);
    const told: number[] = [];
    await withHold(books, memoryRun, { ...patience, tell: (wait) => void told.push(wait) }, async () => undefined);
    assert.deepEqual(told, [60], 'the wait is told of');
    assert.equal((await books.hold(memoryRun, attempt)).wait, false);
  });

  it('a hold that was taken away during the wait is noticed before anything is sent', async () => {
    const books = memorySyncBooks([]);
    await books.hold(memoryRun, attempt);
    let works = 0;
    const waiting = withHold(books, memoryRun, patience, async () => void (works += 1));
    await books.hold(memoryRun, attempt);
    await assert.rejects(waiting, { code: 'unavailable' });
    assert.equal(works, 0);
  });

  it('who is overtaken by an attempt that comes to life late is tried again; who finds a later run there is not', async () => {
    const books = memorySyncBooks([]);
    const overtaken = withHold(books, memoryRun, patience, async (hold) => {
      await books.hold(memoryRun, attempt);
      await books.prove(hold, attempt);
    });
    await assert.rejects(overtaken, { code: 'unavailable' });
    const later = { ...books, hold: () => Promise.reject(new MillraceError('fenced', 'a later run has the books')) };
    await assert.rejects(
      withHold(later, memoryRun, patience, async () => undefined),
      { code: 'fenced' },
    );
  });

  it('a look-up waits for as long as the lost request may have its effect', async () => {
    const sending = sendingOf(ledgered, planOf(1, { operation: 'create' }), creates);
    ledgered.trouble({ slowBefore: 700, answer: { status: 500 } });
    await sending.all();
    const at = (path: string): number => ledgered.requests.find((request) => request.path === path)?.at ?? 0;
    assert.ok(at('/find') - at('/batch') >= 2000, `${at('/find') - at('/batch')} ms`);
  });

  it('a job of what is left of many rows is named by few ranges', async () => {
    ledgered.state.jobs = true;
    const sending = sendingOf(ledgered, planOf(400), { settings: { jobs: 5, concurrency: 1, batchRows: 50 } });
    const hold = await sending.books.hold(memoryRun, attempt);
    const answered = planOf(400).filter(({ no }) => no % 2 === 0);
    await sending.books.record(
      hold,
      answered.map(({ no }) => ({ no, outcome: 'acknowledged' })),
      attempt,
    );
    const { progress } = await sending.slice();
    assert.deepEqual(
      progress.jobs.map(({ rows }) => rows),
      [[[1, 99]], [[101, 199]], [[201, 299]], [[301, 399]]],
    );
  });
});
