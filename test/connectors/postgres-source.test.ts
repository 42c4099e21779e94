import assert from 'node:assert/strict';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { from } from 'pg-copy-streams';
import { openSource } from '../../connectors/postgres/source.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { SourceDatabase } from '../kits/postgres-source.ts';
import { readAll, sourceDatabase } from '../kits/postgres-source.ts';
import { describeSource, planRequest, readPartition, testAttempt } from '../kits/source.ts';
import { defineStream } from '../kits/stream-definition.ts';

describeSource('PostgreSQL', async () => {
  const database = await sourceDatabase('source_kit');
  await database.sql(`
    CREATE TABLE orders (id bigint PRIMARY KEY, note text, updated_at timestamptz(3));
    INSERT INTO orders SELECT i, 'order ' || i, now() FROM generate_series(1, 5000) i; ANALYZE orders`);
  const settings = (url: string): { readonly type: 'postgres'; readonly url: string } => ({ type: 'postgres', url });
  return {
    open: async () => openSource(settings(database.url), 'shop'),
    openBroken: async () => openSource(settings('postgres://nobody-of-this-name:p4ssw0rd@127.0.0.1:1/shop'), 'shop'),
    secret: 'p4ssw0rd',
    stream: 'orders',
    columns: [
      { name: 'id', type: 'bigint' },
      { name: 'note', type: 'text' },
      { name: 'updated_at', type: 'timestamptz(3)' },
    ],
    key: ['id'],
    rows: 5000,
    partitionBytes: 50_000,
    countsRows: true,
    wildcard: 'public.*',
    missing: { name: 'ordres', nearest: 'orders' },
    definition: { mode: 'merge', cursor: 'updated_at' },
    [Symbol.asyncDispose]: async () => database[Symbol.asyncDispose](),
  };
});

const everyType = `
  CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN price AS numeric(10, 2); CREATE TYPE pair AS (a integer, b text);
  CREATE TABLE every_type (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY, i2 smallint, i8 bigint, n numeric, n38 numeric(38, 18), r real, d double precision, b boolean,
    t text, v varchar(20), c char(5), bp bpchar, ch "char", by bytea, dt date, ti time(3), tz timetz, ts timestamp, tsz timestamptz(3), iv interval day to second,
    u uuid, j json, jb jsonb, ip inet, net cidr, mac macaddr, bi bit(3), vb varbit, x xml,
    ta text[], na numeric(10, 2)[], taa text[][], mo mood, moa mood[], pr price, pra price[], pa pair, rg int4range, o oid,
    g integer GENERATED ALWAYS AS (i2 * 2) STORED);
  INSERT INTO every_type (i2, i8, n, n38, r, d, b, t, v, c, bp, ch, by, dt, ti, tz, ts, tsz, iv, u, j, jb, ip, net, mac, bi, vb, x, ta, na, taa, mo, moa, pr, pra, pa, rg, o) VALUES
    (1, 9223372036854775807, 'NaN', 12345678901234567890.123456789012345678, 'NaN', '-Infinity', true, E'quote " comma , line\nreturn\r tab\t back\\\\ é 漢 😀', '', 'ab', 'cd  ', 'z',
     '\\x00ff', '4713-01-01 BC', '24:00', '12:00:00.123456+05:30', 'infinity', '2024-02-29 23:59:59.999+02', '1 day 02:03:04.000005',
     'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" : 1,  "a": 2}', '{"b": 1e400, "a": "\\\\u00e9"}', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '101', '1', '<a>1</a>',
     ARRAY['', NULL, 'NULL', '"', '\\.'], ARRAY[1.005, NULL], ARRAY[['a'],['b']], 'sad', ARRAY['glad', NULL]::mood[], 3.14159, ARRAY[1.5]::price[], ROW(1, 'x,y'), '[1,5)', 4294967295),
    (NULL, -9223372036854775808, '-Infinity', NULL, 1.1, 5e-324, NULL, NULL, NULL, NULL, NULL, NULL, '', 'infinity', '00:00:00.001', NULL, '0001-01-01 00:00:00.000001', '-infinity', NULL,
     NULL, 'null', 'null', NULL, NULL, NULL, NULL, '', NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'empty', NULL),
    (0, 0, 1e400::numeric, 0, -0.0, -0.0, false, '\\.', E'\\\\N', '', '', '', 'abc', '9999-12-31', '00:00', '00:00-12', '2024-03-31 02:30', now(), '-1 s', gen_random_uuid(), '[]', '[]', '1.2.3.4', '::/0',
     'ffffffffffff', '000', '0101', '', ARRAY[ARRAY['deep','er']], '{}', '{}', 'glad', '{}', 0, '{}', ROW(NULL, NULL), '(,)', 0);`;

describe('reading PostgreSQL', () => {
  let database: SourceDatabase;

  before(async () => {
    database = await sourceDatabase('source_read');
    await database.sql(everyType);
  });

  after(async () => database[Symbol.asyncDispose]());

  for (const [format, copy] of [
    ['csv', "FORMAT csv, NULL ''"],
    ['pgcopy', 'FORMAT binary'],
  ] as const) {
    it(`carries every type through ${format} unchanged`, async () => {
      const [stream] = await database.source.discover(['every_type'], testAttempt());
      assert.ok(stream !== undefined);
      const request = planRequest(stream, { formats: [format] });
      const plan = await database.source.plan(request, testAttempt());
      assert.equal(plan.format, format);
      const [partition] = plan.partitions;
      assert.ok(partition !== undefined);
      const { bytes, rows } = await readPartition(database.source, request, plan, partition);
      assert.equal(rows, 3);
      const client = await database.session();
      const columns = plan.columns.map(({ name, type }) => `${name} ${type === 'double' ? 'double precision' : type}`);
      await client.query(`CREATE TABLE copy_${format} (${columns.join(', ')})`);
      await pipeline(Readable.from([bytes]), client.query(from(`COPY copy_${format} FROM STDIN (${copy})`)));
      const texts = plan.columns.map(({ name }) => `${name}::text`).join(', ');
      const { rows: differing } = await client.query(
        `SELECT 'read' AS side, * FROM (SELECT ${texts} FROM every_type EXCEPT ALL SELECT ${texts} FROM copy_${format}) a
         UNION ALL SELECT 'kept', * FROM (SELECT ${texts} FROM copy_${format} EXCEPT ALL SELECT ${texts} FROM every_type) b`,
      );
      assert.deepEqual(differing, []);
    });
  }

  it('tells NULL from the empty string, and keeps quotes, line ends and microseconds in csv', async () => {
    const { rows } = await readAll(database.source, { stream: 'every_type' }, { steps: [{ select: ['t', 'v', 'tz'] }] });
    assert.deepEqual(rows[0], ['quote " comma , line\nreturn\r tab\t back\\ é 漢 😀', '', '12:00:00.123456+05:30']);
    assert.deepEqual(rows[1], [null, null, null]);
  });

  it('spells values the same whatever the settings of the database', async () => {
    await database.sql(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''', current_database());
      EXECUTE format('ALTER DATABASE %I SET DateStyle = ''German''', current_database());
      EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -10', current_database());
      EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database()); END $$`);
    const { rows } = await readAll(database.source, { stream: 'every_type' }, { steps: [{ select: ['tsz', 'dt', 'by', 'r'] }] });
    assert.deepEqual(rows[0], ['2024-02-29 21:59:59.999+00', '4713-01-01 BC', '\\x00ff', 'NaN']);
    assert.equal(rows[1]?.[3], '1.1');
  });

  it('refuses to read with an old plan once a type was widened, for the old type would cut values', async () => {
    await database.sql('CREATE TABLE widened (id integer PRIMARY KEY, v varchar(3)); INSERT INTO widened VALUES (1, $$abc$$)');
    const { request, plan } = await readAll(database.source, { stream: 'widened' });
    await database.sql('ALTER TABLE widened ALTER v TYPE varchar(10); UPDATE widened SET v = $$abcdef$$');
    const [partition] = plan.partitions;
    assert.ok(partition !== undefined);
    await assert.rejects(readPartition(database.source, request, plan, partition), { code: 'conflict' });
  });

  it('cancels the statement at the server when the attempt is aborted, and throws the reason', async () => {
    await database.sql('CREATE VIEW mute AS SELECT count(pg_sleep(0.01)) AS n FROM generate_series(1, 100000)');
    const [stream] = await database.source.discover(['mute'], testAttempt());
    assert.ok(stream !== undefined);
    const request = planRequest(stream, { definition: defineStream({ stream: 'mute' }) });
    const plan = await database.source.plan(request, testAttempt());
    const [partition] = plan.partitions;
    assert.ok(partition !== undefined);
    const controller = new AbortController();
    const reading = readPartition(database.source, request, plan, partition, testAttempt(controller.signal));
    const active = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'";
    while ((await database.sql(active)).length === 0);
    controller.abort(new Error('cancelled by the test'));
    await assert.rejects(reading, /cancelled by the test/);
    while ((await database.sql(active)).length > 0);
  });

  it('beats while a statement runs without giving a row', async () => {
    await database.sql('CREATE VIEW silent AS SELECT count(pg_sleep(0.01)) AS n FROM generate_series(1, 300)');
    const [stream] = await database.source.discover(['silent'], testAttempt());
    assert.ok(stream !== undefined);
    const request = planRequest(stream);
    const plan = await database.source.plan(request, testAttempt());
    const [partition] = plan.partitions;
    assert.ok(partition !== undefined);
    const attempt = testAttempt();
    await readPartition(database.source, request, plan, partition, attempt);
    assert.ok(attempt.beats > 1);
  });

  it('fails with unavailable when the server ends the session, and leaves values out of messages', async () => {
    await database.sql("CREATE VIEW broken AS SELECT ('secret-' || i)::integer AS n FROM generate_series(1, 3) i");
    await assert.rejects(readAll(database.source, { stream: 'broken' }), (error) => {
      assert.ok(error instanceof MillraceError);
      assert.equal(error.code, 'schema');
      assert.doesNotMatch(error.message, /secret-/);
      return true;
    });
    await database.sql('CREATE VIEW slow AS SELECT i, pg_sleep(0.01)::text AS s FROM generate_series(1, 100000) i');
    const [stream] = await database.source.discover(['slow'], testAttempt());
    assert.ok(stream !== undefined);
    const request = planRequest(stream);
    const plan = await database.source.plan(request, testAttempt());
    const [partition] = plan.partitions;
    assert.ok(partition !== undefined);
    const reading = readPartition(database.source, request, plan, partition);
    const end =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'";
    while ((await database.sql(end)).length === 0);
    await assert.rejects(reading, { code: 'unavailable' });
  });
});
