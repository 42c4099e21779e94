import assert from 'node:assert/strict';
import type { SourceDatabase } from '../kits/postgres-source.ts';
import { readAll, sourceDatabase } from '../kits/postgres-source.ts';

const keys = {
  integer: { type: 'integer', value: 'i - 500' },
  bigint: { type: 'bigint', value: '9223372036854775807 - i * 1000003' },
  uuid: { type: 'uuid', value: 'md5(i::text)::uuid' },
  text: { type: 'text', value: "chr(64 + i % 60) || E' \\'\\\\ é' || i" },
  'text in ICU order': { type: 'text COLLATE "unicode"', value: 'chr(64 + i % 60) || i' },
  'char(n)': { type: 'char(40)', value: 'md5(i::text)' },
  numeric: { type: 'numeric', value: 'sqrt(i)::numeric * (-1) ^ i' },
  timestamptz: { type: 'timestamptz', value: "'2026-01-01'::timestamptz + i * interval '1.000001 s'" },
} as const;

describe('partitions of a PostgreSQL stream', () => {
  let database: SourceDatabase;

  before(async () => {
    database = await sourceDatabase('source_partition');
  });

  after(async () => database[Symbol.asyncDispose]());

  const distinctRows = async (stream: string, rows: readonly (readonly (string | null)[])[]): Promise<void> => {
    const source = await database.sql(`SELECT count(*)::text AS n, count(DISTINCT id)::text AS d FROM ${stream}`);
    assert.deepEqual([String(rows.length), String(new Set(rows.map(([id]) => id)).size)], [source[0]?.['n'], source[0]?.['d']]);
  };

  for (const [name, { type, value }] of Object.entries(keys)) {
    for (const analyzed of [true, false]) {
      it(`give every row once by ${name}${analyzed ? '' : ', without statistics'}`, async () => {
        await database.sql(`DROP TABLE IF EXISTS t; CREATE TABLE t (id ${type} PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
          INSERT INTO t SELECT ${value}, repeat('x', 100) FROM generate_series(1, 2000) i;${analyzed ? 'ANALYZE t;' : ''}`);
        const { plan, rows } = await readAll(database.source, { stream: 't' }, { partitionBytes: 40_000 });
        assert.ok(plan.partitions.length >= 4, `${plan.partitions.length} partitions`);
        await distinctRows('t', rows);
      });
    }
  }

  it('are about as large as asked for, also for rows added since the last analyze', async () => {
    await database.sql(`CREATE TABLE grown (id bigint PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
      INSERT INTO grown SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i; ANALYZE grown;
      INSERT INTO grown SELECT i, repeat('x', 100) FROM generate_series(5001, 10000) i`);
    const { plan } = await readAll(database.source, { stream: 'grown' }, { partitionBytes: 250_000 });
    const counts: number[] = [];
    for (const { label } of plan.partitions) {
      const [, from, to] = /^id (\d*)…(\d*)$/.exec(label) ?? [];
      const found = await database.sql(`SELECT count(*) AS n FROM grown WHERE id >= ${from || 0} AND id < ${to || 1e9}`);
      counts.push(Number(found[0]?.['n']));
    }
    assert.ok(counts.length >= 4 && Math.max(...counts) < 2 * (10_000 / counts.length), counts.join(' '));
  });

  it('range over the first column of a composite key, which many rows share', async () => {
    await database.sql(`CREATE TABLE lines (id integer, line integer, v text, PRIMARY KEY (id, line));
      INSERT INTO lines SELECT i % 20, i, repeat('x', 100) FROM generate_series(1, 2000) i; ANALYZE lines`);
    const { plan, rows } = await readAll(database.source, { stream: 'lines' }, { partitionBytes: 40_000 });
    assert.ok(plan.partitions.length > 1);
    assert.equal(new Set(rows.map(([id, line]) => `${id}/${line}`)).size, 2000);
    assert.equal(rows.length, 2000);
  });

  it('cover a partitioned table, and keys beyond every statistic', async () => {
    await database.sql(`CREATE TABLE parted (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id);
      CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (1000); CREATE TABLE parted_high PARTITION OF parted DEFAULT;
      INSERT INTO parted SELECT i, repeat('x', 100) FROM generate_series(1, 2000) i; ANALYZE parted`);
    const { plan, rows, request } = await readAll(database.source, { stream: 'parted' }, { partitionBytes: 40_000 });
    assert.ok(plan.partitions.length > 1);
    await distinctRows('parted', rows);
    assert.deepEqual(request.stream.key, ['id']);
    assert.equal(
      (await database.source.discover(['public.part*'], { signal: new AbortController().signal, name: 't', beat() {} })).length,
      1,
    );
  });

  it('is one for a view, for a table without a key, and for a key whose type has no ranges', async () => {
    await database.sql(`CREATE TABLE keyless AS SELECT i AS id, repeat('x', 100) AS v FROM generate_series(1, 2000) i; ANALYZE keyless;
      CREATE VIEW seen AS SELECT * FROM keyless; CREATE TABLE by_net (id inet PRIMARY KEY, v text);
      INSERT INTO by_net SELECT '10.0.0.0'::inet + i, repeat('x', 100) FROM generate_series(1, 2000) i; ANALYZE by_net`);
    for (const stream of ['keyless', 'seen', 'by_net']) {
      const { plan, rows } = await readAll(database.source, { stream }, { partitionBytes: 40_000 });
      assert.deepEqual([plan.partitions.length, rows.length], [1, 2000]);
    }
  });

  it('divide an increment only when it is large itself', async () => {
    await database.sql(`CREATE TABLE changes (id bigint PRIMARY KEY, v text, at timestamptz); CREATE INDEX ON changes (at);
      INSERT INTO changes SELECT i, repeat('x', 100), now() - i * interval '1 minute' FROM generate_series(1, 5000) i; ANALYZE changes`);
    const [row] = await database.sql("SELECT now() - interval '20 minutes' AS few, now() - interval '4000 minutes' AS many");
    const definition = { stream: 'changes', mode: 'merge', cursor: 'at' } as const;
    const few = await readAll(database.source, definition, { cursor: row?.['few'], partitionBytes: 40_000 });
    const many = await readAll(database.source, definition, { cursor: row?.['many'], partitionBytes: 40_000 });
    assert.equal(few.plan.partitions.length, 1);
    assert.ok(many.plan.partitions.length > 4);
    assert.equal(new Set(many.rows.map(([id]) => id)).size, many.rows.length);
  });

  it('is one, and empty, for an empty table', async () => {
    await database.sql('CREATE TABLE nothing (id bigint PRIMARY KEY)');
    const { plan, rows } = await readAll(database.source, { stream: 'nothing' }, { partitionBytes: 1 });
    assert.deepEqual([plan.partitions.length, rows.length], [1, 0]);
  });
});
