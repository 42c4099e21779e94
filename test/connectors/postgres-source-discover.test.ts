import assert from 'node:assert/strict';
import { applicationName, connect, requirePinned } from '../../connectors/postgres/session.ts';
import { quoteIdentifier, quoteLiteral } from '../../connectors/postgres/sql.ts';
import type { Stream } from '../../schema/stream.ts';
import type { SourceDatabase } from '../kits/postgres-source.ts';
import { readAll, sourceDatabase } from '../kits/postgres-source.ts';
import { testAttempt } from '../kits/source.ts';

describe('discovery of a PostgreSQL database', () => {
  let database: SourceDatabase;

  before(async () => {
    database = await sourceDatabase('source_discover');
    await database.sql(`
      CREATE SCHEMA sales; CREATE SCHEMA "Odd ""name";
      CREATE TYPE mood AS ENUM ('glad'); CREATE DOMAIN price AS numeric(10, 2); CREATE DOMAIN net_price AS price CHECK (value > 0); CREATE TYPE pair AS (a integer);
      CREATE TABLE orders (line integer, id bigint, total net_price, prices price[], mood mood, moods mood[], pair pair, span tstzrange, tags tsvector,
        doubled bigint GENERATED ALWAYS AS (id * 2) STORED, no integer GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (id, line) INCLUDE (total));
      CREATE TABLE sales.orders (id integer PRIMARY KEY); CREATE TABLE sales.audit (at time(3) with time zone, gone integer);
      ALTER TABLE sales.audit DROP COLUMN gone;
      CREATE TABLE sales.by_day (id integer, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
      CREATE TABLE sales.by_day_2026 PARTITION OF sales.by_day FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
      CREATE VIEW sales.totals AS SELECT id::numeric(12, 3) AS total FROM sales.orders;
      CREATE MATERIALIZED VIEW sales.daily AS SELECT 1 AS n;
      CREATE TABLE "Odd ""name"."Wh""at % _?" ("Col ""umn" text, "select" integer, "é😀" varchar(3));
      INSERT INTO "Odd ""name"."Wh""at % _?" VALUES ('a', 1, 'é');
      CREATE TABLE bare (); CREATE TEMP TABLE passing (id integer);
      INSERT INTO sales.orders SELECT generate_series(1, 100); ANALYZE sales.orders`);
  });

  after(async () => database[Symbol.asyncDispose]());

  const names = async (...patterns: readonly string[]): Promise<readonly string[]> =>
    (await database.source.discover(patterns, testAttempt())).map(({ name }) => name);
  const one = async (pattern: string): Promise<Stream> => {
    const [stream] = await database.source.discover([pattern], testAttempt());
    assert.ok(stream !== undefined);
    return stream;
  };

  it('takes a name without a schema from public, whatever the search path', async () => {
    await database.sql(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = sales', current_database()); END $$`);
    assert.deepEqual(await names('orders'), ['public.orders']);
    assert.deepEqual(await names('sales.orders', 'ord*'), ['public.orders', 'sales.orders']);
  });

  it('finds tables, partitioned tables, views and materialized views by wildcard, and partitions only by name', async () => {
    assert.deepEqual(await names('sales.*'), ['sales.audit', 'sales.by_day', 'sales.daily', 'sales.orders', 'sales.totals']);
    assert.deepEqual(await names('*.orders'), ['public.orders', 'sales.orders']);
    assert.deepEqual(await names('sales.by_day_2026'), ['sales.by_day_2026']);
    assert.deepEqual(await names('nothing.*'), []);
  });

  it('gives exact types, and says what does not arrive as it is', async () => {
    const stream = await one('orders');
    assert.deepEqual(Object.fromEntries(stream.columns.map(({ name, type }) => [name, type])), {
      line: 'integer',
      id: 'bigint',
      total: 'numeric(10,2)',
      prices: 'numeric(10,2)[]',
      mood: 'text',
      moods: 'text[]',
      pair: 'text',
      span: 'text',
      tags: 'text',
      doubled: 'bigint',
      no: 'integer',
    });
    assert.deepEqual(stream.notes, [
      'total: domain public.net_price arrives as numeric(10,2)',
      'prices: domain public.price[] arrives as numeric(10,2)[]',
      'mood: enum public.mood arrives as text',
      'moods: enum public.mood[] arrives as text[]',
      'pair: composite type public.pair arrives as text',
      'span: range tstzrange arrives as text',
      'tags: type tsvector arrives as text',
    ]);
    assert.deepEqual((await one('sales.totals')).columns, [{ name: 'total', type: 'numeric(12,3)' }]);
    assert.deepEqual((await one('sales.audit')).columns, [{ name: 'at', type: 'timetz' }]);
  });

  it('gives the primary key in its order, without included columns, and rows from statistics', async () => {
    assert.deepEqual((await one('orders')).key, ['id', 'line']);
    assert.equal((await one('sales.orders')).estimatedRows, 100);
    assert.equal((await one('orders')).estimatedRows, undefined);
  });

  it('reads names that need quotes', async () => {
    const { rows, plan } = await readAll(database.source, { stream: 'Odd "name.Wh"at % _?' });
    assert.deepEqual(rows, [['a', '1', 'é']]);
    assert.deepEqual(
      plan.columns.map(({ name }) => name),
      ['Col "umn', 'select', 'é😀'],
    );
  });

  it('refuses to read a table without columns', async () => {
    await assert.rejects(readAll(database.source, { stream: 'bare' }), { code: 'schema' });
  });

  it('quotes every name and text', async () => {
    for (const text of [`'; DROP TABLE orders; --`, `"`, `\\`, `\\'`, `E'`, `$$`, '\n', 'é😀', '']) {
      const name = text === '' ? 'x' : text;
      const [row] = await database.sql(`SELECT ${quoteLiteral(text)} AS ${quoteIdentifier(name)}`);
      assert.deepEqual(row, { [name]: text });
    }
  });

  it('gives sessions a name of at most 63 bytes that tells reading from writing', () => {
    const long = `millrace:${'x'.repeat(80)}:extract:1`;
    for (const readOnly of [true, false]) {
      assert.ok(Buffer.byteLength(applicationName(long, readOnly)) <= 63);
      assert.equal(applicationName(long, readOnly).startsWith('millrace:read:'), readOnly);
      assert.notEqual(applicationName(long, readOnly), applicationName(`${long}2`, readOnly));
    }
    assert.equal(applicationName('millrace:l:extract:1', true), 'millrace:read:l:extract:1');
  });

  it('refuses a session that lost its settings, as behind a pooler that shares server sessions', async () => {
    await using session = await connect({ type: 'postgres', url: database.url }, testAttempt());
    await requirePinned(session);
    await session.query("SET TimeZone = 'Asia/Tokyo'");
    await assert.rejects(requirePinned(session), { code: 'config' });
  });
});
