import assert from 'node:assert/strict';
import { openWarehouse } from '../../connectors/postgres/warehouse/warehouse.ts';
import { openSyncBooks } from '../../connectors/postgres/ledger/sync-books.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { attempt } from '../kits/loads.ts';
import { acknowledged, makeRequest, makeRun, makeSync, useSyncBooks, type RequestOptions } from '../kits/sync-books.ts';

describe('books of syncs: rows of the model', () => {
  const under = useSyncBooks();
  const execute = async (sql: string): Promise<void> => void (await under.client.query(sql));
  const invalid = async () =>
    await under.query(`SELECT key, reason FROM _millrace.sync_open WHERE outcome = 'invalid' ORDER BY key COLLATE "C"`);
  const logged = async (outcome: string) => (await under.query('SELECT key FROM _millrace.sync_log WHERE outcome = $1', [outcome])).length;

  it('rows without a key, and keys that repeat, are invalid, noted once, and never remove anything', async () => {
    const mirror: RequestOptions = { sync: { mode: 'mirror' } };
    await under.run(mirror);
    // One of the two is as it was acknowledged, so that only the other one differs from the ledger.
    await execute(`INSERT INTO people VALUES (NULL, 'x', 1), (NULL, 'y', 2), ('bob@x', 'free', 3)`);
    const run = await under.begin(mirror);
    assert.deepEqual([run.rows, run.plan.counts.invalid, run.plan.modelRows], [[], 4, 6]);
    const noted = [
      ['(no key)', 'its key (email) is NULL'],
      ['bob@x', 'its key is in the model more than once'],
    ];
    assert.deepEqual(await invalid(), noted);
    await under.run(mirror);
    assert.deepEqual([await invalid(), await logged('invalid')], [noted, 2]);
    await execute(`UPDATE people SET email = NULL WHERE email = 'bob@x' AND score = 3; UPDATE people SET score = 8 WHERE email = 'bob@x'`);
    assert.deepEqual(await under.run(mirror), ['bob@x upsert']);
    assert.deepEqual(await invalid(), noted.slice(0, 1));
    assert.deepEqual(await under.query('SELECT key FROM _millrace.ledger ORDER BY key'), [['ada@x'], ['bob@x'], ['cyd@x']]);
  });

  it('copies of a row that are both as acknowledged are found though nothing changed', async () => {
    await under.run();
    await execute(`INSERT INTO people VALUES ('bob@x', 'free', 2)`);
    assert.deepEqual(await under.run(), []);
    assert.deepEqual(await invalid(), [['bob@x', 'its key is in the model more than once']]);
    const preview = await under.books.preview(makeRequest(), 5, attempt());
    assert.deepEqual(preview.invalid, [{ reason: 'its key is in the model more than once', rows: 2, keys: ['bob@x'] }]);
  });

  it('a match that is NULL or shared by rows to be sent is invalid, each of its rows', async () => {
    const sync = makeSync({
      model: { name: 'people', sql: 'SELECT * FROM people', key: ['email'], after: [] },
      match: [{ column: 'plan', field: 'login' }],
    });
    await execute(`INSERT INTO people VALUES ('dan@x', 'free', 4)`);
    assert.deepEqual(await under.run({ sync }), ['ada@x upsert']);
    assert.deepEqual(await invalid(), [
      ['bob@x', 'other rows have the same match (plan)'],
      ['cyd@x', 'its match (plan) is NULL'],
      ['dan@x', 'other rows have the same match (plan)'],
    ]);
  });

  it('the object of a row that left the model stays when another row has its match now', async () => {
    const sync = makeSync({ mode: 'mirror', match: [{ column: 'plan', field: 'login' }] });
    await execute(`UPDATE people SET plan = email`);
    await under.run({ sync });
    await execute(`UPDATE people SET email = 'new@x' WHERE email = 'ada@x'; DELETE FROM people WHERE email = 'bob@x'`);
    const run = await under.begin({ sync });
    assert.deepEqual(
      run.rows.map(({ key, operation, values }) => [key, operation, JSON.parse(values)]),
      [
        ['bob@x', 'delete', ['bob@x', null, null]],
        ['new@x', 'upsert', ['ada@x', 1, 'ada@x']],
      ],
    );
    assert.match(run.plan.notes.join(), /1 rows left the model, but other rows have their match now/);
  });

  it('values keep what JavaScript would lose, and times are ISO 8601', async () => {
    await execute(`DROP TABLE people; CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN big AS bigint; CREATE TABLE people AS SELECT 9007199254740993 AS id, 12345678901234567890.10 AS amount,
      3.5::double precision AS part, '2026-01-02 03:04:05.678901+00'::timestamptz AS at, '2026-01-02 03:04:05'::timestamp AS local, '2026-01-02'::date AS day,
      ARRAY[9007199254740993, NULL] AS bigs, ARRAY['a', 'b"c'] AS texts, '{"a": 1.10}'::json AS doc, '\\xff00'::bytea AS raw, 'ok'::mood AS mood, true AS yes,
      9007199254740993::big AS wide, 'it''s' AS "a ""quoted"" name"`);
    const names = 'id amount part at local day bigs texts doc raw mood yes wide'.split(' ').concat('a "quoted" name');
    const map = names.map((column) => ({ column, field: column, whenNull: 'clear' as const }));
    const run = await under.begin({
      sync: {
        model: { name: 'people', sql: 'SELECT * FROM people;', key: ['id'], after: [] },
        match: [{ column: 'id', field: 'id' }],
        map,
      },
    });
    const big = '9007199254740993';
    const times = ['2026-01-02T03:04:05.678901+00:00', '2026-01-02T03:04:05', '2026-01-02'];
    const rest = [[big, null], ['a', 'b"c'], { a: 1.1 }, '/wA=', 'ok', true, big, `it's`];
    assert.deepEqual(JSON.parse(run.rows[0]?.values ?? ''), [big, big, '12345678901234567890.10', 3.5, ...times, ...rest]);
    assert.match(run.rows[0]?.values ?? '', /1\.10\}/, 'JSON is as the database has it');
    const types = 'bigint bigint numeric double timestamptz timestamp date bigint[] text[] json bytea text boolean bigint text';
    assert.deepEqual(
      run.plan.columns.map((column) => column.type),
      types.split(' '),
    );
  });

  it('keys of several columns; a row that is gone is found by the values of its key', async () => {
    await execute(
      `CREATE TABLE seats AS SELECT * FROM (VALUES (1, 'a,b', '2026-01-02 03:04:05+00'::timestamptz, 5), (1, 'a', '2026-01-02 03:04:05.5+00', 6)) s (account, name, at, n)`,
    );
    const key = ['account', 'name', 'at'];
    const sync = makeSync({
      mode: 'mirror',
      model: { name: 'seats', sql: 'SELECT * FROM seats', key, after: [] },
      match: key.map((column) => ({ column, field: column })),
      map: [{ column: 'n', field: 'n', whenNull: 'keep' }],
    });
    const first = await under.begin({ sync });
    const values = first.rows.map((row) => JSON.parse(row.values) as unknown[]);
    await under.record(first, first.rows.map(acknowledged));
    await execute('DELETE FROM seats');
    const second = await under.begin({ sync });
    assert.deepEqual(
      second.rows.map((row) => [row.operation, ...(JSON.parse(row.values) as unknown[])]),
      values.map((row) => ['delete', ...row.slice(0, 3), null]),
    );
  });

  it('says which fields changed, where that is asked for', async () => {
    const given: RequestOptions = { changedOnly: true };
    const first = await under.begin(given);
    assert.deepEqual(
      first.rows.map((row) => row.changed),
      [null, null, null],
    );
    await under.record(first, first.rows.map(acknowledged));
    await execute(
      `UPDATE people SET plan = 'pro' WHERE email = 'bob@x'; UPDATE people SET score = NULL WHERE email = 'ada@x'; UPDATE people SET score = 0, plan = '' WHERE email = 'cyd@x'`,
    );
    const second = await under.begin(given);
    assert.deepEqual(
      second.rows.map((row) => [row.key, row.changed]),
      [
        ['ada@x', [0]],
        ['bob@x', [1]],
        ['cyd@x', [0, 1]],
      ],
    );
    const third = await under.begin({ ...given, full: true });
    assert.deepEqual(
      third.rows.map((row) => row.changed),
      [null, null, null],
      'all fields of all rows',
    );
  });

  it('a model in another database is compared as one here, and a copy that breaks off plans nothing', async () => {
    const elsewhere = await createDatabase('books');
    const books = await openSyncBooks({ type: 'postgres', url: elsewhere }, 'books');
    const role = `reader_${new URL(under.url).pathname.slice(-12)}`;
    await execute(
      `CREATE ROLE ${role} LOGIN PASSWORD 'reads'; GRANT SELECT ON people TO ${role}; REVOKE TEMP ON DATABASE "${new URL(under.url).pathname.slice(1)}" FROM PUBLIC`,
    );
    const url = new URL(under.url);
    url.username = role;
    url.password = 'reads';
    const warehouse = await openWarehouse({ type: 'postgres', url: url.href }, 'reader');
    try {
      const run = makeRun();
      await using rows = await warehouse.query('SELECT * FROM people', attempt('query'));
      const plan = await books.plan({ ...makeRequest({ sync: { mode: 'mirror' }, rows }), run }, attempt());
      assert.deepEqual([plan.counts.planned, plan.modelRows], [3, 3]);
      const hold = await books.hold(run, attempt());
      const planned = await books.rows(run, 1, 10, attempt());
      assert.deepEqual(
        planned.map((row) => JSON.parse(row.values)),
        [
          ['ada@x', 1, 'pro'],
          ['bob@x', 2, 'free'],
          ['cyd@x', null, null],
        ],
      );
      await books.record(hold, planned.map(acknowledged), attempt());
      await using again = await warehouse.query('SELECT * FROM people WHERE score > 0', attempt('query'));
      const preview = await books.preview(makeRequest({ sync: { mode: 'mirror' }, rows: again }), 5, attempt());
      assert.deepEqual(preview.operations, { delete: 1 });
      await using broken = await warehouse.query('SELECT email, plan, 1 / (score - 2) AS score FROM people', attempt('query'));
      await assert.rejects(books.plan({ ...makeRequest({ sync: { mode: 'mirror' }, rows: broken }), run: makeRun() }, attempt()), {
        code: 'config',
        message: /22012/,
      });
    } finally {
      await books[Symbol.asyncDispose]();
      await dropDatabase(elsewhere);
      await execute(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('a model that writes, and one with a mistake, are refused in the words of the database', async () => {
    await execute('CREATE SEQUENCE s');
    const plans = async (sql: string, message: RegExp): Promise<void> =>
      await assert.rejects(under.begin({ sync: { model: { name: 'people', sql, key: ['email'], after: [] } } }), {
        code: 'config',
        message,
      });
    await plans(`SELECT *, nextval('s') FROM people`, /model people: the query doesn't work: .*read-only transaction/);
    await plans('SELECT email, plan, nothing AS score FROM people', /column "nothing" does not exist/);
    await plans('SELECT email, plan FROM people', /sync people-to-crm: model people has no column score; it has email, plan/);
    assert.deepEqual(
      await under.query(`SELECT count(*) FROM pg_class WHERE relname LIKE 'p\\_%' AND relkind = 'r' AND relname ~ '[0-9a-f]{32}'`),
      [['0']],
    );
  });

  it('waits for the first load of what its model follows', async () => {
    const model = { name: 'people', sql: 'SELECT * FROM not_there_yet', key: ['email'], after: ['shop'] };
    const { plan, rows } = await under.begin({ sync: { model } });
    assert.deepEqual([plan.waits, rows], ['shop', []]);
  });
});
