import assert from 'node:assert/strict';
import { openSyncBooks } from '../../connectors/postgres/ledger/sync-books.ts';
import { attempt } from '../kits/loads.ts';
import { acknowledged, makeRequest, makeRun, makeSync, rejected, useSyncBooks } from '../kits/sync-books.ts';

const nos = (rows: readonly { readonly no: number }[]): readonly number[] => rows.map((row) => row.no);

describe('books of syncs: hold and outcomes', () => {
  const under = useSyncBooks();
  const execute = async (sql: string): Promise<void> => void (await under.client.query(sql));
  const ledger = async () => await under.query('SELECT key, remote_id FROM _millrace.ledger ORDER BY key COLLATE "C"');
  const tables = async () =>
    await under.query(
      `SELECT count(*) FROM pg_class c WHERE relnamespace = '_millrace'::regnamespace AND relkind = 'r' AND relname ~ '^p_[0-9a-f]{32}$'`,
    );

  it('who held before can neither record nor mark nor prove; an attempt that let go needs no wait', async () => {
    const run = await under.begin();
    const zombie = await openSyncBooks({ type: 'postgres', url: under.url }, 'warehouse');
    try {
      await zombie.prove(run.hold, attempt('zombie'));
      const second = await under.books.hold(run.name, attempt());
      assert.deepEqual([run.hold.wait, second.wait], [false, true]);
      const fenced = { code: 'fenced', message: /may not write its books any more/ };
      await assert.rejects(zombie.prove(run.hold, attempt('zombie')), fenced);
      await assert.rejects(zombie.mark(run.hold, [1], attempt('zombie')), fenced);
      await assert.rejects(zombie.unmark(run.hold, [1], attempt('zombie')), fenced);
      await assert.rejects(zombie.record(run.hold, run.rows.map(acknowledged), attempt('zombie')), fenced);
      await zombie.release(run.hold, attempt('zombie'));
      assert.deepEqual(await ledger(), []);
      await under.books.release(second, attempt());
      assert.equal((await under.books.hold(run.name, attempt())).wait, false);
    } finally {
      await zombie[Symbol.asyncDispose]();
    }
  });

  it('a later run takes the books as it plans; the one before can neither write nor take them back', async () => {
    const before = await under.begin();
    const later = await under.begin();
    assert.equal(later.hold.wait, true);
    await assert.rejects(under.record(before, before.rows.map(acknowledged)), { code: 'fenced' });
    await assert.rejects(under.books.hold(before.name, attempt()), { code: 'fenced' });
    await under.books.plan({ ...makeRequest(), run: before.name }, attempt());
    await under.books.prove(later.hold, attempt());
  });

  it('a plan that comes after another run took over is none: neither rows nor mapping nor open rows come of it', async () => {
    await under.run();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let begun = (): void => undefined;
    const begins = new Promise<void>((resolve) => (begun = resolve));
    const columns = ['email', 'plan', 'score'].map((name) => ({ name, type: 'text' as const }));
    const bytes = async function* (): AsyncGenerator<Uint8Array> {
      begun();
      await gate;
      yield Buffer.from('eve@x,pro,1\n');
    };
    const map = [{ column: 'score', field: 'points', whenNull: 'clear' as const }];
    const late = makeRequest({ sync: { object: 'leads', map }, resend: true, rows: { columns, bytes: bytes() } });
    const zombie = assert.rejects(under.books.plan({ ...late, run: makeRun() }, attempt()), { code: 'fenced' });
    await begins;
    const next = await under.begin({ full: true });
    open();
    await zombie;
    assert.deepEqual(await under.query('SELECT mapping FROM _millrace.syncs'), [['health_score, plan (NULL is kept)']]);
    assert.equal((await ledger()).length, 3);
    assert.equal((await under.record(next, next.rows.map(acknowledged))).acknowledged, 3);
  });

  it('a record that another attempt is in the middle of is waited for', async () => {
    const run = await under.begin();
    const slow = under.client;
    await slow.query('BEGIN');
    await slow.query('SELECT FROM _millrace.syncs FOR SHARE');
    let taken = false;
    const hold = under.books.hold(run.name, attempt()).then(() => (taken = true));
    const waits = async () =>
      (
        await under.query(
          `SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()`,
        )
      )[0]?.[0];
    for (const end = Date.now() + 30_000; (await waits()) === '0' && Date.now() < end;);
    assert.equal(taken, false);
    await slow.query('COMMIT');
    await hold;
  });

  it('outcomes are in ledger, open rows and log at once, and a second record changes nothing', async () => {
    const run = await under.begin();
    const [ada, bob, cyd] = run.rows;
    assert.ok(ada && bob && cyd);
    const outcomes = [
      { ...acknowledged(ada), remoteId: '17', requestId: 'r1' },
      { ...rejected(bob), requestId: 'r2' },
      { no: cyd.no, outcome: 'unknown' as const, reason: 'no answer' },
    ];
    const counts = { planned: 3, sent: 3, acknowledged: 1, rejected: 1, unknown: 1, invalid: 0 };
    assert.deepEqual(await under.record(run, outcomes), counts);
    const look = async () => [
      await ledger(),
      await under.query(
        'SELECT key, outcome, operation, reason, code, request_id, attempts, next_at <= now() FROM _millrace.sync_open ORDER BY key',
      ),
      await under.query('SELECT project, sync, run_id, key, operation, outcome, reason, request_id FROM _millrace.sync_log ORDER BY key'),
    ];
    const found = await look();
    const named = ['test', 'people-to-crm', run.name.runId];
    assert.deepEqual(found, [
      [['ada@x', '17']],
      [
        ['bob@x', 'rejected', 'upsert', 'not an e-mail', 'INVALID', 'r2', 1, true],
        ['cyd@x', 'unknown', 'upsert', 'no answer', null, null, 1, null],
      ],
      [
        [...named, 'ada@x', 'upsert', 'acknowledged', null, 'r1'],
        [...named, 'bob@x', 'upsert', 'rejected', 'not an e-mail', 'r2'],
        [...named, 'cyd@x', 'upsert', 'unknown', 'no answer', null],
      ],
    ]);
    assert.deepEqual(await under.record(run, run.rows.map(acknowledged)), counts);
    assert.deepEqual(await look(), found);
    assert.deepEqual(await under.books.rows(run.name, 1, 10, attempt()), []);
    assert.deepEqual(await under.books.end(run.name, undefined, attempt()), counts);
    assert.deepEqual(await under.books.end(run.name, 'too late', attempt()), counts);
    assert.deepEqual(await tables(), [['0']]);
    await assert.rejects(under.books.rows(run.name, 1, 10, attempt()), { code: 'fenced' });
    const [booked] = await under.books.listRuns({ project: 'test', sync: 'people-to-crm', limit: 5 }, attempt());
    assert.deepEqual([booked?.status, booked?.failure, booked?.acknowledged, booked?.runId], ['succeeded', null, 1, run.name.runId]);
  });

  it('an update keeps the name that the application gave; one request has one key, and another one another', async () => {
    const first = await under.begin();
    await under.record(
      first,
      first.rows.map((row) => ({ ...acknowledged(row), remoteId: `id-${row.key}` })),
    );
    const keys = new Set(first.rows.map((row) => row.idempotencyKey));
    for (const score of [5, 1, 5, 1]) {
      await execute(`UPDATE people SET score = ${score} WHERE email = 'ada@x'`);
      // Nothing came of the first run: its successor asks under the same key.
      const lost = await under.begin();
      const run = await under.begin();
      assert.deepEqual(run.rows, lost.rows);
      for (const { idempotencyKey, remoteId } of run.rows) {
        assert.equal(remoteId, 'id-ada@x');
        assert.ok(!keys.has(idempotencyKey), 'the same values again are another request');
        keys.add(idempotencyKey);
      }
      await under.record(run, run.rows.map(acknowledged));
    }
    assert.equal(keys.size, first.rows.length + 4);
    assert.deepEqual((await ledger())[0], ['ada@x', 'id-ada@x']);
  });

  it('what was removed and comes again is another request', async () => {
    const mirror = { sync: { mode: 'mirror' as const } };
    const first = await under.begin(mirror);
    await under.record(first, first.rows.map(acknowledged));
    await execute(`CREATE TABLE kept AS TABLE people; DELETE FROM people`);
    await under.run(mirror);
    await execute(`INSERT INTO people TABLE kept`);
    const again = await under.begin(mirror);
    assert.deepEqual(
      again.rows.map((row) => row.change),
      ['added', 'added', 'added'],
    );
    assert.ok(again.rows.every((row, at) => row.idempotencyKey !== first.rows[at]?.idempotencyKey));
  });

  it('rows that a dead run had sent are planned as sent, under the same key, also when they are gone or as before', async () => {
    const mirror = { sync: { mode: 'mirror' as const } };
    await under.run(mirror);
    await execute(`UPDATE people SET score = 50; INSERT INTO people VALUES ('dan@x', 'pro', 4)`);
    const dead = await under.begin(mirror);
    await under.books.mark(dead.hold, nos(dead.rows), attempt());
    const key = new Map(dead.rows.map((row) => [row.key, row.idempotencyKey]));
    await execute(`UPDATE people SET score = 1 WHERE email = 'ada@x'; DELETE FROM people WHERE email IN ('cyd@x', 'dan@x')`);
    const run = await under.begin(mirror);
    assert.deepEqual(
      run.rows.map((row) => [row.key, row.operation, row.sent, row.idempotencyKey === key.get(row.key)]),
      [
        ['cyd@x', 'delete', true, false],
        ['dan@x', 'delete', true, false],
        ['ada@x', 'upsert', true, false],
        ['bob@x', 'upsert', true, true],
      ],
    );
    assert.deepEqual(run.rows.map((row) => JSON.parse(row.values)).slice(0, 2), [
      ['cyd@x', null, null],
      ['dan@x', null, null],
    ]);
    await under.record(run, run.rows.map(acknowledged));
    assert.deepEqual(
      [await under.query('SELECT * FROM _millrace.sync_open'), await ledger()],
      [
        [],
        [
          ['ada@x', null],
          ['bob@x', null],
        ],
      ],
    );
  });

  it('rows that an attempt of the same run had sent are known as sent to the next, until they have an outcome or the note is taken back', async () => {
    const run = await under.begin();
    const sent = async (): Promise<readonly boolean[]> => (await under.books.rows(run.name, 1, 100, attempt())).map((row) => row.sent);
    assert.deepEqual(await sent(), [false, false, false]);
    await under.books.mark(run.hold, [1, 2], attempt());
    assert.deepEqual(await sent(), [true, true, false]);
    await under.books.unmark(run.hold, [1], attempt());
    assert.deepEqual(await sent(), [false, true, false]);
    await under.record(run, [acknowledged({ no: 2 })]);
    assert.deepEqual(await sent(), [false, false]);
  });

  it('a note of rows as sent can be taken back; a row that was refused is open for that again', async () => {
    await under.run({ outcome: (row) => (row.key === 'ada@x' ? rejected(row) : acknowledged(row)) });
    await execute(`UPDATE people SET score = 77`);
    const run = await under.begin();
    await under.books.mark(run.hold, nos(run.rows), attempt());
    const open = async () => await under.query('SELECT key, outcome, reason FROM _millrace.sync_open ORDER BY key');
    assert.deepEqual(
      (await open()).map((row) => row[1]),
      ['sent', 'sent', 'sent'],
    );
    await under.books.unmark(run.hold, nos(run.rows), attempt());
    assert.deepEqual(await open(), [['ada@x', 'rejected', 'not an e-mail']]);
    assert.equal((await under.begin()).rows.length, 3);
  });

  it('unknown rows are parked until somebody says that they were sent, or lost', async () => {
    const mirror = { sync: { mode: 'mirror' as const } };
    await under.run(mirror);
    await execute(`UPDATE people SET score = 60 WHERE email <> 'cyd@x'; DELETE FROM people WHERE email = 'cyd@x'`);
    await under.run({ ...mirror, outcome: ({ no }) => ({ no, outcome: 'unknown', reason: 'no answer' }) });
    await execute(`UPDATE people SET score = 61 WHERE email = 'bob@x'`);
    assert.deepEqual(await under.run(mirror), []);
    const lost = await under.begin({ ...mirror, unknown: 'lost' });
    assert.deepEqual(
      lost.rows.map((row) => [row.key, row.operation, row.sent]),
      [
        ['cyd@x', 'delete', false],
        ['ada@x', 'upsert', false],
        ['bob@x', 'upsert', false],
      ],
    );
    const sent = await under.begin({ ...mirror, unknown: 'sent' });
    assert.deepEqual(
      sent.rows.map((row) => row.key),
      ['bob@x'],
      'only what changed since',
    );
    assert.deepEqual(sent.plan.notes, ['3 rows of unknown outcome were settled as sent']);
    const settled = `SELECT key, operation, outcome FROM _millrace.sync_log WHERE run_id = $1 AND outcome = 'settled' ORDER BY key`;
    assert.deepEqual(await under.query(settled, [sent.name.runId]), [
      ['ada@x', 'upsert', 'settled'],
      ['bob@x', 'upsert', 'settled'],
      ['cyd@x', 'delete', 'settled'],
    ]);
    await under.record(sent, sent.rows.map(acknowledged));
    assert.deepEqual(await ledger(), [
      ['ada@x', null],
      ['bob@x', null],
    ]);
    assert.deepEqual(await under.query('SELECT * FROM _millrace.sync_open'), []);
  });

  it('a changed mapping asks, says what changed, and sends again when it may', async () => {
    await under.run();
    const sync = makeSync({ map: [{ column: 'score', field: 'score', whenNull: 'clear' }] });
    assert.equal(await under.books.mappingChange(makeSync(), undefined, attempt()), undefined);
    const change = await under.books.mappingChange(sync, undefined, attempt());
    assert.deepEqual(change, { rows: 3, difference: 'the fields were health_score, plan (NULL is kept), and now are score' });
    await assert.rejects(under.begin({ sync }), {
      code: 'config',
      message: /its mapping changed since 3 rows were acknowledged: the fields were .* Up to 3 rows .*--resend/,
    });
    assert.deepEqual(await under.run(), [], 'the old one still holds');
    await execute(`DELETE FROM people WHERE email = 'cyd@x'`);
    const again = await under.begin({ sync, resend: true });
    assert.match(again.plan.notes.join(), /: up to 3 rows that were acknowledged before are sent again/);
    assert.equal(again.rows.length, 2, 'one has left the model');
    await under.record(again, again.rows.map(acknowledged));
    assert.deepEqual(await under.run({ sync }), []);
    assert.equal((await under.run({ sync: { mappingChange: 'resend' } })).length, 2);
  });

  it('under another object, match or key the ledger says nothing, and removes nothing', async () => {
    const mirror = { mode: 'mirror' as const, mappingChange: 'resend' as const };
    await under.run({ sync: mirror });
    await execute(`DELETE FROM people WHERE email = 'bob@x'`);
    assert.deepEqual(await under.run({ sync: { ...mirror, object: 'leads' } }), ['ada@x upsert', 'cyd@x upsert']);
    await execute(`UPDATE people SET plan = 'p' || score WHERE score IS NOT NULL; DELETE FROM people WHERE score IS NULL`);
    const model = { name: 'people', sql: 'SELECT * FROM people', key: ['plan'], after: [] };
    assert.deepEqual(await under.run({ sync: { ...mirror, object: 'leads', model } }), ['p1 upsert']);
  });

  it('a full run sends every row, those that wait as well', async () => {
    await under.run({ outcome: (row) => (row.key === 'ada@x' ? rejected(row) : acknowledged(row)) });
    await under.run({ outcome: rejected });
    assert.deepEqual(await under.run(), []);
    assert.equal((await under.run({ full: true })).length, 3);
  });

  it('deletes what is older than the retention, and plans that no run has any more', async () => {
    await under.run();
    const dead = await under.begin({ full: true });
    await under.run({ full: true });
    assert.deepEqual(await tables(), [['1']]);
    await execute(
      `UPDATE _millrace.sync_log_rows SET at = at - interval '2 days'; UPDATE _millrace.sync_runs SET started_at = started_at - interval '2 days'`,
    );
    const open = await under.begin({ full: true });
    await under.record(open, open.rows.slice(0, 1).map(acknowledged));
    await under.books.retain(makeSync(), attempt());
    await under.books.retain(makeSync(), attempt());
    assert.deepEqual([await tables(), await under.query('SELECT key FROM _millrace.sync_log')], [[['1']], [['ada@x']]]);
    assert.deepEqual(await under.query('SELECT run_id FROM _millrace.sync_runs'), [[open.name.runId]]);
    await assert.rejects(under.books.hold(dead.name, attempt()), { code: 'fenced' });
    await under.record(open, open.rows.map(acknowledged));
  });

  it('a run that failed before it planned is in the books', async () => {
    const run = makeRun();
    assert.equal((await under.books.end(run, 'no credentials', attempt())).planned, 0);
    const [booked] = await under.books.listRuns({ project: 'test', sync: 'people-to-crm', limit: 5 }, attempt());
    assert.deepEqual([booked?.status, booked?.failure], ['failed', 'no credentials']);
  });
});
