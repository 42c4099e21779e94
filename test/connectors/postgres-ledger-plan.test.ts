import assert from 'node:assert/strict';
import { diffSql } from '../../connectors/postgres/ledger/diff.ts';
import { ownModel } from '../../connectors/postgres/ledger/model-source.ts';
import { readBooksState } from '../../connectors/postgres/ledger/state.ts';
import { quoteLiteral } from '../../connectors/postgres/sql.ts';
import { openSyncBooks } from '../../connectors/postgres/ledger/sync-books.ts';
import { attempt } from '../kits/loads.ts';
import { makeRequest, makeRun, rejected, useSyncBooks } from '../kits/sync-books.ts';

const change = `UPDATE people SET score = 9 WHERE email = 'bob@x'; DELETE FROM people WHERE email = 'cyd@x'; INSERT INTO people VALUES ('dan@x', 'pro', 4)`;

describe('books of syncs: the plan', () => {
  const under = useSyncBooks();
  const execute = async (sql: string): Promise<void> => void (await under.client.query(sql));

  for (const [mode, first, second] of [
    ['insert', 'create', ['dan@x create']],
    ['update', 'update', ['bob@x update', 'dan@x update']],
    ['upsert', 'upsert', ['bob@x upsert', 'dan@x upsert']],
    ['mirror', 'upsert', ['cyd@x delete', 'bob@x upsert', 'dan@x upsert']],
    ['add', 'add', ['dan@x add']],
    ['remove', 'remove', ['dan@x remove']],
  ] as const) {
    it(`mode ${mode} plans what it is for, and nothing twice`, async () => {
      assert.deepEqual(await under.run({ sync: { mode } }), [`ada@x ${first}`, `bob@x ${first}`, `cyd@x ${first}`]);
      assert.deepEqual(await under.run({ sync: { mode } }), []);
      await execute(change);
      assert.deepEqual(await under.run({ sync: { mode } }), second);
      assert.deepEqual(await under.run({ sync: { mode } }), []);
    });
  }

  it('gives values, types and counts; a second attempt gives what the first planned', async () => {
    const run = await under.begin();
    assert.deepEqual(run.plan, {
      counts: { planned: 3, sent: 0, acknowledged: 0, rejected: 0, unknown: 0, invalid: 0 },
      operations: { upsert: 3 },
      again: 0,
      columns: [
        { name: 'email', type: 'text' },
        { name: 'score', type: 'integer' },
        { name: 'plan', type: 'text' },
      ],
      modelRows: 3,
      ledgerRows: 0,
      notes: [],
    });
    assert.deepEqual(
      run.rows.map(({ no, key, change: what, values }) => [no, key, what, JSON.parse(values)]),
      [
        [1, 'ada@x', 'added', ['ada@x', 1, 'pro']],
        [2, 'bob@x', 'added', ['bob@x', 2, 'free']],
        [3, 'cyd@x', 'added', ['cyd@x', null, null]],
      ],
    );
    await execute(change);
    assert.deepEqual(await under.books.plan({ ...makeRequest(), run: run.name }, attempt()), run.plan);
    assert.deepEqual(await under.books.rows(run.name, 1, 10, attempt()), run.rows);
    assert.deepEqual(
      (
        await under.books.rowsOf(
          run.name,
          [
            [1, 1],
            [3, 9],
          ],
          attempt(),
        )
      ).map((row) => row.no),
      [1, 3],
    );
  });

  it('attempts that plan at the same time give one plan', async () => {
    const run = makeRun();
    const other = await openSyncBooks({ type: 'postgres', url: under.url }, 'other');
    try {
      const plans = await Promise.all([under.books, other].map(async (books) => await books.plan({ ...makeRequest(), run }, attempt())));
      assert.deepEqual(plans[0], plans[1]);
      assert.equal((await under.books.rows(run, 1, 10, attempt())).length, 3);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it('rows that are refused come again: at once, then after longer and longer; when they change; and when they are asked for', async () => {
    const bad = (row: { no: number; key: string }) =>
      row.key === 'bob@x' ? rejected(row) : { no: row.no, outcome: 'acknowledged' as const };
    await under.run({ outcome: bad });
    const first = await under.begin();
    assert.deepEqual([first.rows.map((row) => row.key), first.plan.again], [['bob@x'], 1]);
    await under.record(first, first.rows.map(rejected));
    assert.deepEqual(await under.run(), [], 'it waits now');
    const next = (minutes: number) => `SELECT next_at - at = interval '${minutes} minutes' AS is FROM _millrace.sync_open`;
    assert.deepEqual(await under.query(next(1)), [[true]]);
    await under.run({ outcome: rejected, retry: true });
    assert.deepEqual(await under.query(next(2)), [[true]]);
    await execute(`UPDATE _millrace.sync_open_rows SET attempts = 30, next_at = now() - interval '1 second'`);
    await under.run({ outcome: rejected });
    assert.deepEqual(await under.query(next(24 * 60)), [[true]]);
    await execute(`UPDATE people SET score = 7 WHERE email = 'bob@x'`);
    assert.deepEqual(await under.run(), ['bob@x upsert']);
    assert.deepEqual(await under.query('SELECT * FROM _millrace.sync_open'), []);
  });

  it('the turn of the first refused row is known, however many are open', async () => {
    await execute(`INSERT INTO people SELECT 'p' || i, 'free', i FROM generate_series(1, 300) i`);
    const place = { project: 'test', sync: 'people-to-crm' };
    assert.equal(await under.books.retryAt(place, attempt()), null);
    await under.run({ outcome: rejected });
    // The first to have its turn is the one that was refused the longest ago.
    await execute(`UPDATE _millrace.sync_open_rows SET at = now() - interval '1 day', next_at = '2031-01-01 00:00Z' WHERE key = 'bob@x'`);
    await execute(`UPDATE _millrace.sync_open_rows SET next_at = '2032-01-01 00:00Z' WHERE key <> 'bob@x'`);
    assert.equal(await under.books.retryAt(place, attempt()), Date.UTC(2031, 0, 1));
    await execute(`UPDATE _millrace.sync_open_rows SET outcome = 'unknown', next_at = NULL`);
    assert.equal(await under.books.retryAt(place, attempt()), null);
  });

  it('a model that shrinks to nothing removes nothing: the guard stops it, and the books say so', async () => {
    await under.run({ sync: { mode: 'mirror', maxDeleted: 0.05 } });
    await execute('DELETE FROM people');
    const run = makeRun();
    const request = { ...makeRequest({ sync: { mode: 'mirror', maxDeleted: 0.05 } }), run };
    await assert.rejects(under.books.plan(request, attempt()), {
      code: 'rejected',
      message:
        /3 of 3 acknowledged rows .* guards.deletes \(5%\) allows.*set guards.deletes higher in the project file, run, and set it back/,
    });
    await under.books.end(run, 'the guard', attempt());
    assert.deepEqual(await under.query('SELECT status, failure, planned FROM _millrace.sync_runs WHERE run_id = $1', [run.runId]), [
      ['failed', 'the guard', '0'],
    ]);
    assert.deepEqual(await under.query(`SELECT count(*) FROM _millrace.ledger`), [['3']]);
    assert.deepEqual(await under.run({ sync: { mode: 'mirror', maxDeleted: 1 } }), ['ada@x delete', 'bob@x delete', 'cyd@x delete']);
    assert.deepEqual(await under.query(`SELECT count(*) FROM _millrace.ledger`), [['0']]);
  });

  it('rows that are found by another field than the key are never looked for one by one, however many changed', async () => {
    await execute(`INSERT INTO people SELECT 'p' || i, 'plan ' || i, i FROM generate_series(1, 20000) i`);
    const given = { sync: { match: [{ column: 'plan', field: 'plan' }] } };
    await under.run(given);
    await execute('UPDATE people SET score = score + 1');
    const request = makeRequest(given);
    const source = await ownModel(under.client, request.sync);
    const diff = { ...request, ...source, books: await readBooksState(under.client, 1), counted: false };
    const sql = diffSql(
      diff,
      (inner, columns) => `_millrace.read_only(${quoteLiteral(inner)}) AS picks (${columns.map((column) => column.join(' ')).join(', ')})`,
    );
    const explained = (await under.query(`EXPLAIN ${sql}`)).flat().join('\n');
    assert.match(explained, /Hash|Merge/);
    assert.doesNotMatch(explained, /Nested Loop/);
    assert.equal((await under.begin(given)).plan.counts.planned, 20_002);
  });
});
