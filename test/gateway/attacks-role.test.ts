import assert from 'node:assert/strict';
import { openTestGateway, until, type TestGateway } from '../gateway-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

const role = `matrix_reader_${process.pid}`;

const tables = `
  CREATE ROLE ${role} NOLOGIN;
  CREATE TABLE marts.notes (note_id bigint PRIMARY KEY, tenant text, word text);
  INSERT INTO marts.notes SELECT n, (ARRAY['a','b'])[1 + n % 2], 'word ' || n FROM generate_series(1, 10) n;
  ALTER TABLE marts.notes ENABLE ROW LEVEL SECURITY;
  CREATE POLICY early ON marts.notes TO ${role} USING (note_id <= 6);
  CREATE TABLE marts.marks (mark_id bigint PRIMARY KEY, note_id bigint); INSERT INTO marts.marks SELECT n, n FROM generate_series(1, 10) n;
  CREATE TABLE marts.closed (closed_id bigint PRIMARY KEY);
  CREATE FUNCTION marts.writes() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO marts.marks VALUES (99, 99); RETURN true; END';
  CREATE FUNCTION marts.unlocks() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('transaction_read_only', 'off', false); RETURN marts.writes(); END$$;
  CREATE FUNCTION marts.makes() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN CREATE TABLE marts.made (i int); RETURN true; END';
  GRANT USAGE ON SCHEMA marts TO ${role}; GRANT SELECT ON marts.notes, marts.marks TO ${role};`;

const reader = { reader: { fields: 'all' } };
const ruled = (rows: string) => ({ dataset: 'marts.marks', key: 'mark_id', roles: { reader: { fields: 'all', rows } } });

describe('gateway.role: a role of the database that may read, with policies of its own', () => {
  let gateway: TestGateway;
  let token: string;
  before(async () => {
    gateway = await openTestGateway({
      tables,
      apis: {
        notes: { dataset: 'marts.notes', key: 'note_id', roles: { reader: { fields: 'all', rows: 'tenant = ${claim:tenant}' } } },
        marks: { dataset: 'marts.marks', key: 'mark_id', relations: { note: { api: 'notes', on: 'note_id', one: true } }, roles: reader },
        counted: { model: 'counted', key: 'tenant', roles: reader },
        closed: { dataset: 'marts.closed', key: 'closed_id', roles: reader },
        writing: ruled('marts.writes()'),
        unlocking: ruled('marts.unlocks()'),
        making: ruled('marts.makes()'),
        listening: ruled("pg_catalog.set_config('transaction_read_only', 'off', true) = 'off' AND marts.writes()"),
        filed: ruled("pg_catalog.pg_read_file('/etc/passwd') <> ''"),
        booked: ruled('EXISTS (SELECT FROM _millrace.api_tokens)'),
      },
      project: {
        models: {
          counted: {
            warehouse: 'warehouse',
            sql: 'SELECT tenant, count(*) AS notes FROM marts.notes GROUP BY 1',
            key: 'tenant',
            build: 'none',
          },
        },
      },
      gateway: { role },
    });
    token = await gateway.token({ role: 'reader', claims: { tenant: 'a' } });
  });
  after(async () => {
    await gateway.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await gateway[Symbol.asyncDispose]();
  });

  it('its policies hold beside the rules of the project, in lists, keys, relations, models, aggregates and exports', async () => {
    const get = async (path: string) => await gateway.get(path, { token });
    assert.deepEqual((await get('/api/notes?fields=note_id&count=exact')).json, {
      data: ['2', '4', '6'].map((note_id) => ({ note_id })),
      count: 3,
      next: null,
    });
    assert.equal((await get('/api/notes/8')).text, (await get('/api/notes/424242')).text);
    assert.deepEqual((await get('/aggregate/notes')).json.data, [{ count: 3 }]);
    assert.equal((await get('/api/notes?format=ndjson')).text.trim().split('\n').length, 3);
    const marks = (await get('/api/marks?include=note')).json.data;
    assert.deepEqual(
      marks.map(({ note }: { note: { note_id: string } | null }) => note?.note_id ?? null),
      [null, '2', null, '4', null, '6', null, null, null, null],
    );
    assert.deepEqual((await get('/api/counted')).json.data, [
      { tenant: 'a', notes: '3' },
      { tenant: 'b', notes: '3' },
    ]);
    assert.equal((await get('/api/closed')).status, 404);
  });

  it('rules that would write, unlock, read files or read the books show nothing and change nothing', async () => {
    for (const api of ['writing', 'unlocking', 'making', 'listening', 'filed', 'booked'])
      for (const path of [`/api/${api}`, `/api/${api}/1`, `/aggregate/${api}`, `/api/${api}?format=csv`]) {
        const told = await gateway.get(path, { token });
        assert.ok(told.status >= 500 && !/root:|mr_|word/.test(told.text), `${path} ${told.status} ${told.text}`);
        assert.doesNotMatch(told.text, /marts|function|permission|read-only/);
      }
    assert.deepEqual(await gateway.sql(`SELECT count(*)::int AS n, to_regclass('marts.made') AS made FROM marts.marks`), [
      { n: 10, made: null },
    ]);
    assert.equal((await gateway.get('/api/marks', { token })).status, 200);
  });
});

describe('tokens of another project, and those that end while they are in use', () => {
  const apis = { many: { dataset: 'marts.many', key: 'many_id', roles: reader } };
  const rows =
    'CREATE TABLE IF NOT EXISTS marts.many AS SELECT n AS many_id, repeat(md5(n::text), 30) AS text FROM generate_series(1, 200000) n;';
  let database: string;
  let one: TestGateway;
  let other: TestGateway;
  before(async () => {
    database = await createDatabase('matrix_two');
    one = await openTestGateway({ database, tables: rows, apis });
    other = await openTestGateway({ database, apis });
  });
  after(async () => {
    await one[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await dropDatabase(database);
  });

  it('a token of a project in the same database is unknown to another', async () => {
    const token = await one.token({ role: 'reader' });
    assert.equal((await one.get('/api/many?limit=1', { token })).status, 200);
    for (const path of ['/api/many?limit=1', '/openapi.json', '/graphql?query={__typename}'])
      assert.equal((await other.get(path, { token })).status, 401);
  });

  it('ends a running export, and is refused on connections that are kept open', async () => {
    const token = await one.token({ role: 'reader' });
    const lasting = await one.token({ role: 'reader' });
    const answer = await fetch(`${one.address}/api/many?format=ndjson`, { headers: { authorization: `Bearer ${token}` } });
    const whole = await fetch(`${one.address}/api/many?format=ndjson&limit=20000`, { headers: { authorization: `Bearer ${lasting}` } });
    const begun = Date.now();
    assert.equal(answer.status, 200);
    const [, id = ''] = token.split('_');
    await one.books.revokeToken(one.definition.project, id);
    await until(async () => (await one.get('/api/many?limit=1', { token })).status === 401);
    await until(() => Date.now() - begun > 1100);
    await assert.rejects(answer.text());
    assert.equal((await whole.text()).trim().split('\n').length, 20_000);
  });
});
