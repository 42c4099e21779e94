import assert from 'node:assert/strict';
import type { StreamDefinition } from '../../schema/definition.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { type FilesFolder, makeFolder } from './files-folder.ts';

describe('files in a warehouse', () => {
  let project: TestProject;
  let warehouse: string;
  let folder: FilesFolder;

  before(async function () {
    this.timeout(120_000);
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
});
