import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { StreamDefinition } from '../../schema/definition.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { type FilesFolder, makeFolder } from './files-folder.ts';

describe('files in a warehouse', () => {
  let project: TestProject;
  let warehouse: string;
  let folder: FilesFolder;

  before(async function () {
    this.timeout(240_000);
    [warehouse, project] = await Promise.all([createDatabase('files_warehouse'), openProject('files')]);
  });
  after(async () => {
    await project[Symbol.asyncDispose]();
    await dropDatabase(warehouse);
  });
  beforeEach(async () => {
    folder = await makeFolder();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const load = (stream: string, schema: string, definition: Partial<StreamDefinition>) =>
    project.run(
      project.pipeline(schema, { from: folder.path, to: warehouse, schema, streams: [{ stream, into: 'loaded', ...definition }] }),
    );
  const rows = (schema: string, columns: string) => sql(warehouse, `SELECT ${columns} FROM ${schema}.loaded ORDER BY 1`);

  it('are appended once each, whatever their dialects; a later column is added', async () => {
    await folder.put('orders-1.csv', '\ufeffid,note\r\n1,"a ""b"", c"\r\n2,""\r\n');
    await folder.put('orders-2.csv', Buffer.from('\ufeffid;note\n3;Ünn €\n', 'utf16le'));
    const stream = { mode: 'append' } as const;
    const first = await load('orders-*.csv', 'appended', stream);
    assert.ok(first.ok, JSON.stringify(first));
    assert.equal(first.report?.streams[0]?.loaded, 3);
    const nothing = await load('orders-*.csv', 'appended', stream);
    assert.ok(nothing.ok, JSON.stringify(nothing));
    assert.equal(nothing.report?.streams[0]?.loaded, 0);
    await folder.put('orders-3.csv', 'id,extra\n4,x\n');
    const third = await load('orders-*.csv', 'appended', stream);
    assert.ok(third.ok, JSON.stringify(third));
    assert.deepEqual(await rows('appended', 'id, note, extra'), [
      { id: '1', note: 'a "b", c', extra: null },
      { id: '2', note: '', extra: null },
      { id: '3', note: 'Ünn €', extra: null },
      { id: '4', note: null, extra: 'x' },
    ]);
    await folder.put('orders-1.csv', 'id,note\n1,changed\n');
    const refused = await load('orders-*.csv', 'appended', stream);
    assert.ok(!refused.ok);
    assert.match(JSON.stringify(refused), /orders-1\.csv changed since it was appended/);
    assert.equal((await rows('appended', 'id')).length, 4);
  });

  it('are merged again when they change', async () => {
    await folder.put('a.csv', 'id,note\n1,one\n2,two\n');
    await folder.put('b.csv', 'id,note\n3,three\n');
    const stream = { mode: 'merge', key: ['id'] } as const;
    assert.ok((await load('*.csv', 'merged', { ...stream, key: ['id'] })).ok);
    await folder.put('a.csv', 'id,note\n1,ONE\n4,four\n');
    const second = await load('*.csv', 'merged', { ...stream, key: ['id'] });
    assert.ok(second.ok, JSON.stringify(second));
    assert.equal(second.report?.streams[0]?.read, 2);
    assert.deepEqual(
      (await rows('merged', 'id, note')).map((row) => row['note']),
      ['ONE', 'two', 'three', 'four'],
    );
  });

  it('are joined when there are more than partitions, header by header', async () => {
    for (let no = 0; no < 300; no++) await folder.put(`many-${no}.csv`, `id,note\n${no},"line\nbreak"`);
    const outcome = await load('many-*.csv', 'joined', {});
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.deepEqual(await sql(warehouse, 'SELECT count(DISTINCT id), count(*) AS rows FROM joined.loaded'), [
      { count: '300', rows: '300' },
    ]);
  });

  it('are JSON and Parquet too, exact', async () => {
    await folder.put('a.ndjson', '{"id":1,"n":12345678901234567890.123456789,"o":{"a":[1]},"t":"x"}\n{broken\n{"id":2,"b":true}\n');
    await folder.put('b.json', '[{"id":3,"t":""},\n {"id":4,"t":null}]');
    const outcome = await load('*.*json', 'json', {});
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.deepEqual(await rows('json', 'id, n, o, t, b'), [
      { id: '1', n: '12345678901234567890.123456789', o: '{"a": [1]}', t: 'x', b: null },
      { id: '2', n: null, o: null, t: null, b: 't' },
      { id: '3', n: null, o: null, t: '', b: null },
      { id: '4', n: null, o: null, t: null, b: null },
    ]);
    assert.equal(outcome.report?.streams[0]?.rejected, 1);

    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT 1::BIGINT AS id, 1.5::DECIMAL(38,18) AS d, TIMESTAMP '2024-01-01 00:00:00.000001' AS at, '\\xAA'::BLOB AS x, [1, NULL] AS l) TO '${join(folder.path, 'c.parquet')}' (FORMAT parquet)`,
    );
    connection.closeSync();
    instance.closeSync();
    const parquet = await load('c.parquet', 'parquet', {});
    assert.ok(parquet.ok, JSON.stringify(parquet));
    assert.deepEqual(await rows('parquet', 'id, d, at, x, l'), [
      { id: '1', d: '1.500000000000000000', at: '2024-01-01 00:00:00.000001', x: '\\xaa', l: '{1,NULL}' },
    ]);
  });
});
