import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assertBooksBalance } from '../kits/books.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

describe('a run of a pipeline', () => {
  let project: TestProject;
  let source: string;
  let warehouse: string;

  before(async function () {
    this.timeout(240_000);
    [source, warehouse, project] = await Promise.all([createDatabase('source'), createDatabase('warehouse'), openProject()]);
    await sql(
      source,
      `CREATE TABLE orders (id bigint PRIMARY KEY, note text, amount numeric(38,18), at timestamptz NOT NULL);
       INSERT INTO orders SELECT i, CASE i % 3 WHEN 0 THEN '' WHEN 1 THEN NULL ELSE 'a "quoted", line' || chr(10) || 'break' END, i / 7.0, timestamptz '2026-01-01' + i * interval '1 second 1 microsecond' FROM generate_series(1, 1000) i`,
    );
  });

  after(async () => {
    await project[Symbol.asyncDispose]();
    await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
  });

  it('replaces a table with what the source holds, exactly', async () => {
    const pipeline = project.pipeline('shop', { from: source, to: warehouse, streams: [{ stream: 'orders' }] });
    const outcome = await project.run(pipeline);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.equal(outcome.report?.streams[0]?.loaded, 1000);
    const query =
      'SELECT md5(string_agg(t::text, chr(10) ORDER BY id)) AS sum, count(*) AS rows FROM (SELECT id, note, amount, at FROM %) t';
    assert.deepEqual(await sql(warehouse, query.replace('%', 'landed.orders')), await sql(source, query.replace('%', 'orders')));
  });

  it('merges what changed since the last run', async () => {
    const pipeline = project.pipeline('changes', {
      from: source,
      to: warehouse,
      schema: 'merged',
      streams: [{ stream: 'orders', mode: 'merge', key: ['id'], cursor: 'at' }],
    });
    assert.ok((await project.run(pipeline)).ok);
    await sql(source, `UPDATE orders SET note = 'changed', at = now() WHERE id <= 10; INSERT INTO orders VALUES (5000, 'new', 1, now())`);
    const outcome = await project.run(pipeline);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.equal(outcome.report?.streams[0]?.loaded, 11);
    assert.deepEqual(await sql(warehouse, `SELECT count(*), count(*) FILTER (WHERE note = 'changed') AS changed FROM merged.orders`), [
      { count: '1001', changed: '10' },
    ]);
  });

  it('cleans a dirty file, and keeps what it refuses with the reason', async () => {
    const folder = join(project.folder, 'drops');
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'films-1.csv'),
      'title,released,budget\n Alien ,1979-05-25,11000000\nBrazil,not a date,15000000\n,1982-06-25,28000000\nAlien,1979-05-25,11000000\n',
    );
    const pipeline = project.pipeline('films', {
      from: folder,
      to: warehouse,
      schema: 'films',
      streams: [
        {
          stream: 'films-*.csv',
          into: 'films',
          transform: [
            { trim: 'all' },
            { nullif: [''] },
            { cast: { released: 'date', budget: 'numeric(14,2)' } },
            { dedupe: { key: ['title', 'released'], order: ['_line desc'] } },
            { expect: { title: { not_null: true } } },
          ],
        },
      ],
    });
    const outcome = await project.run(pipeline);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const { read, loaded, rejected, duplicates } = outcome.report?.streams[0] ?? {};
    assert.deepEqual({ read, loaded, rejected, duplicates }, { read: 4, loaded: 1, rejected: 2, duplicates: 1 });
    assert.deepEqual(await sql(warehouse, 'SELECT title, released, budget FROM films.films'), [
      { title: 'Alien', released: '1979-05-25', budget: '11000000.00' },
    ]);
    assert.deepEqual(await sql(warehouse, 'SELECT "column", rule, position FROM _millrace.rejections ORDER BY position'), [
      { column: 'released', rule: 'cast date', position: '3' },
      { column: 'title', rule: 'not_null', position: '4' },
    ]);
  });

  it('loads a whole stream of many rows in several files, and its books balance', async () => {
    const folder = join(project.folder, 'many');
    await mkdir(folder, { recursive: true });
    const lines = Array.from({ length: 150_000 }, (_, no) => `${no % 149_990},${no % 1000 === 7 ? 'x' : no},row ${no}\n`);
    await writeFile(join(folder, 'many.csv'), `id,amount,note\n${lines.join('')}`);
    const transform = [{ cast: { id: 'bigint', amount: 'integer' } }, { dedupe: { key: ['id'], order: ['_line desc'] } }];
    const streams = [{ stream: 'many.csv', into: 'many', key: ['id'], transform }];
    const outcome = await project.run(project.pipeline('many', { from: folder, to: warehouse, schema: 'many', streams }));
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const { read, loaded, rejected, duplicates } = outcome.report?.streams[0] ?? {};
    assert.deepEqual({ read, loaded, rejected, duplicates }, { read: 150_000, loaded: 149_841, rejected: 150, duplicates: 9 });
    const counted = `SELECT count(*), count(DISTINCT id) AS ids, count(*) FILTER (WHERE note = 'row ' || (id + 149990)) AS newer FROM many.many`;
    assert.deepEqual(await sql(warehouse, counted), [{ count: '149841', ids: '149841', newer: '10' }]);
    await assertBooksBalance(warehouse);
  });

  it('says what is wrong when a stream does not exist, and loads its neighbours', async () => {
    const pipeline = project.pipeline('typo', {
      from: source,
      to: warehouse,
      schema: 'typo',
      streams: [{ stream: 'ordres' }, { stream: 'orders' }],
    });
    const outcome = await project.run(pipeline);
    assert.ok(!outcome.ok);
    assert.equal(outcome.code, 'not-found');
    assert.match(outcome.message, /ordres.*orders/s);
    assert.deepEqual(
      outcome.report?.streams.map((stream) => stream.status),
      ['failed', 'loaded'],
    );
  });

  it('reads a window again without doubling a row or moving the cursor', async () => {
    const stream = { stream: 'orders', mode: 'append' as const, key: ['id'], cursor: 'at' };
    const pipeline = project.pipeline('window', { from: source, to: warehouse, schema: 'appended', streams: [stream] });
    assert.ok((await project.run(pipeline)).ok);
    const [before] = await sql(warehouse, `SELECT cursor FROM _millrace.state WHERE pipeline = 'window'`);
    const [all] = await sql(warehouse, 'SELECT count(*) FROM appended.orders');
    await sql(warehouse, 'DELETE FROM appended.orders WHERE id BETWEEN 100 AND 120');
    const outcome = await project.run(pipeline, { window: { from: '2026-01-01 00:00:00+00', to: '2026-01-01 00:05:00+00' } });
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.deepEqual(await sql(warehouse, 'SELECT count(*) FROM appended.orders'), [all]);
    assert.deepEqual(await sql(warehouse, `SELECT cursor FROM _millrace.state WHERE pipeline = 'window'`), [before]);
  });

  it('loads everything again on a full refresh', async () => {
    const stream = { stream: 'orders', mode: 'merge' as const, key: ['id'], cursor: 'at' };
    const pipeline = project.pipeline('refresh', { from: source, to: warehouse, schema: 'refreshed', streams: [stream] });
    assert.ok((await project.run(pipeline)).ok);
    await sql(source, 'DELETE FROM orders WHERE id = 7');
    await sql(warehouse, `UPDATE refreshed.orders SET note = 'spoilt' WHERE id = 8`);
    const outcome = await project.run(pipeline, { fullRefresh: true });
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const query = 'SELECT md5(string_agg(t::text, chr(10) ORDER BY id)) AS sum FROM (SELECT id, note, amount, at FROM %) t';
    assert.deepEqual(await sql(warehouse, query.replace('%', 'refreshed.orders')), await sql(source, query.replace('%', 'orders')));
  });

  it('beside a wildcard, an exact name that is missing fails alone, and one that is there keeps its name', async () => {
    await sql(source, 'CREATE SCHEMA sales; CREATE TABLE sales.a AS SELECT 1 AS id; CREATE TABLE sales.b AS SELECT 2 AS id');
    const streams = [{ stream: 'sales.*' }, { stream: 'orders' }, { stream: 'nothing' }];
    const outcome = await project.run(project.pipeline('wild', { from: source, to: warehouse, schema: 'wild', streams }));
    assert.ok(!outcome.ok);
    const statuses = Object.fromEntries((outcome.report?.streams ?? []).map(({ stream, status }) => [stream, status]));
    assert.deepEqual(statuses, { orders: 'loaded', nothing: 'failed', 'sales.a': 'loaded', 'sales.b': 'loaded' });
  });

  it('a window is read for the streams that have a cursor', async () => {
    const streams = [{ stream: 'sales.a' }, { stream: 'orders', mode: 'merge' as const, key: ['id'], cursor: 'at' }];
    const pipeline = project.pipeline('mixed', { from: source, to: warehouse, schema: 'mixed', streams });
    assert.ok((await project.run(pipeline)).ok);
    const outcome = await project.run(pipeline, { window: { from: '2026-01-01 00:00:00+00' } });
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.deepEqual(
      outcome.report?.streams.map((stream) => stream.stream),
      ['orders'],
    );
  });

  it('a load that failed says that it loaded nothing', async () => {
    const transform = [{ expect: { note: { not_null: true } } }];
    const streams = [{ stream: 'orders', transform, maxRejected: { rows: 1 } }];
    const outcome = await project.run(project.pipeline('refused', { from: source, to: warehouse, schema: 'refused', streams }));
    assert.ok(!outcome.ok);
    assert.equal(outcome.code, 'rejected');
    assert.deepEqual(
      outcome.report?.streams.map(({ status, loaded }) => [status, loaded]),
      [['failed', 0]],
    );
  });
});
