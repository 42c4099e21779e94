import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunOutcome } from '../../client/runs.ts';
import type { PipelineDefinition, StreamDefinition } from '../../schema/definition.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

describe('a retry of rejections', () => {
  let project: TestProject;
  let source: string;
  let warehouse: string;

  before(async function () {
    this.timeout(240_000);
    [source, warehouse, project] = await Promise.all([createDatabase('source'), createDatabase('warehouse'), openProject('retry')]);
  });

  after(async () => {
    await assertBooksBalance(warehouse);
    await project[Symbol.asyncDispose]();
    await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
  });

  const counts = (outcome: RunOutcome): unknown => {
    const [stream] = outcome.report?.streams ?? [];
    return outcome.ok ? [stream?.read, stream?.loaded, stream?.rejected, stream?.duplicates] : outcome.message;
  };
  const notes = (outcome: RunOutcome): string => outcome.report?.streams[0]?.notes.join('\n') ?? '';
  const retry = (pipeline: PipelineDefinition): Promise<RunOutcome> => project.run(pipeline, { retry: {} });
  const rows = (table: string, columns: string): Promise<unknown> =>
    sql(warehouse, `SELECT ${columns} FROM landed.${table} ORDER BY 1`).then((found) => found.map((row) => Object.values(row)));
  const open = (name: string): Promise<unknown> =>
    sql(warehouse, `SELECT file, position, rule FROM _millrace.rejections WHERE pipeline = $1 AND closed_at IS NULL ORDER BY id`, [
      name,
    ]).then((found) => found.map((row) => Object.values(row)));

  /** A pipeline over one CSV file. */
  async function files(name: string, text: string, given: Partial<StreamDefinition> = {}): Promise<PipelineDefinition> {
    const folder = join(project.folder, name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${name}.csv`), text);
    return project.pipeline(name, { from: folder, to: warehouse, streams: [{ stream: `${name}.csv`, mode: 'append', ...given }] });
  }

  function changed(pipeline: PipelineDefinition, change: Partial<StreamDefinition>): PipelineDefinition {
    return { ...pipeline, streams: pipeline.streams.map((stream) => ({ ...stream, ...change })) };
  }

  const dates = 'id,day\n1,2026-01-02\n2,03.01.2026\n3,04.01.2026\n4,never\n';
  const german = { cast: { day: { to: 'date', format: '%d.%m.%Y' } } };

  it('loads refused rows once the steps are mended, keeps open what is refused again, and moves no cursor', async () => {
    const pipeline = await files('films', dates, { transform: [{ cast: { day: 'date' } }] });
    assert.deepEqual(counts(await project.run(pipeline)), [4, 1, 3, 0]);
    const [before] = await sql(warehouse, `SELECT cursor FROM _millrace.state WHERE pipeline = 'films'`);
    const mended = changed(pipeline, { transform: [german] });
    const outcome = await retry(mended);
    assert.deepEqual(counts(outcome), [3, 2, 1, 0]);
    assert.match(notes(outcome), /rejections taken up again: 3/);
    assert.deepEqual(await rows('films', 'id, day'), [
      ['1', '2026-01-02'],
      ['2', '2026-01-03'],
      ['3', '2026-01-04'],
    ]);
    assert.deepEqual(await open('films'), [['films.csv', '5', 'cast date']], 'at the place where it was read first');
    assert.deepEqual(await sql(warehouse, `SELECT cursor FROM _millrace.state WHERE pipeline = 'films'`), [before]);
    assert.deepEqual(counts(await retry(mended)), [1, 0, 1, 0], 'again it is one row');
    assert.deepEqual(counts(await retry(changed(mended, { transform: [{ nullif: ['never'] }, german] }))), [1, 1, 0, 0]);
    const done = await retry(mended);
    assert.deepEqual(counts(done), [0, 0, 0, 0]);
    assert.match(notes(done), /no open rejections/);
    const booked = await sql(warehouse, `SELECT mode FROM _millrace.loads WHERE pipeline = 'films' ORDER BY version`);
    assert.deepEqual(
      booked.map(({ mode }) => mode),
      ['append', 'retry', 'retry', 'retry'],
      'nothing to load is no load',
    );
  });

  it('adds to the present table of a replace, which closes them all when it is replaced', async () => {
    const pipeline = await files('replaced', dates, { mode: 'replace', key: ['id'], transform: [{ cast: { day: 'date' } }] });
    assert.deepEqual(counts(await project.run(pipeline)), [4, 1, 3, 0]);
    assert.deepEqual(counts(await retry(changed(pipeline, { transform: [german] }))), [3, 2, 1, 0]);
    assert.equal(((await rows('replaced', 'id')) as unknown[]).length, 3);
    await writeFile(join(project.folder, 'replaced', 'replaced.csv'), 'id,day\n9,2026-01-09\n');
    assert.deepEqual(counts(await project.run(pipeline)), [1, 1, 0, 0]);
    assert.deepEqual(await open('replaced'), []);
    assert.match(notes(await retry(pipeline)), /no open rejections/);
  });

  it('reads lines that could not be read with the present options, and leaves those that still cannot', async () => {
    const pipeline = await files('ragged', 'id,name\n1,a\n2,"b" x\n3,c,d\n4,e\n');
    assert.deepEqual(counts(await project.run(pipeline)), [4, 2, 2, 0]);
    const outcome = await retry(changed(pipeline, { read: { quote: '' } }));
    assert.deepEqual(counts(outcome), [1, 1, 0, 0]);
    assert.match(notes(outcome), /rejections left alone: 1, which still can't be read/);
    assert.deepEqual(await rows('ragged', 'id, name'), [
      ['1', 'a'],
      ['2', '"b" x'],
      ['4', 'e'],
    ]);
    assert.deepEqual(await open('ragged'), [['ragged.csv', '4', 'csv']]);
  });

  it('says with counts what is masked, and takes up one stream alone', async () => {
    const pipeline = await files('masked', dates, { protect: ['day'], transform: [{ cast: { day: 'date' } }] });
    assert.deepEqual(counts(await project.run(pipeline)), [4, 1, 3, 0]);
    const outcome = await project.run(changed(pipeline, { transform: [german] }), { retry: { stream: 'masked.csv' } });
    assert.deepEqual(counts(outcome), [0, 0, 0, 0]);
    assert.match(notes(outcome), /rejections left alone: 3, which have masked values/);
    assert.match(JSON.stringify(await project.run(pipeline, { retry: { stream: 'other' } })), /has no stream other; it has masked\.csv/);
  });

  it('leaves rows of a load that failed to the next run, which reads them again', async () => {
    const pipeline = await files('failed', dates, { maxRejected: { rows: 1 }, transform: [{ cast: { day: 'date' } }] });
    assert.equal((await project.run(pipeline)).ok, false);
    const mended = changed(pipeline, { transform: [german] });
    assert.match(notes(await retry(mended)), /rejections left alone: 3, which are of loads that failed/);
    assert.deepEqual(counts(await project.run(changed(mended, { maxRejected: { rows: 2 } }))), [4, 2, 2, 0]);
  });

  it('takes up rows whose columns the source has renamed or left out, but not those that a newer version was loaded of', async () => {
    await sql(
      source,
      `CREATE TABLE orders (id int PRIMARY KEY, amount text, secret text, tags text[], at timestamptz NOT NULL);
       INSERT INTO orders VALUES (1, '1.5', 's', '{a,"b c"}', '2026-01-01'), (2, 'n/a', 's', '{}', '2026-01-02'), (3, '2 €', 's', NULL, '2026-01-03 00:00:00.000001+00'), (4, '?', 's', NULL, '2026-01-04')`,
    );
    const taken = [{ trim: 'all' as const }, { drop: ['secret'] }, { rename: { amount: 'total' } }];
    const stream = { stream: 'orders', mode: 'merge' as const, cursor: 'at' };
    const pipeline = project.pipeline('orders', {
      from: source,
      to: warehouse,
      streams: [{ ...stream, transform: [...taken, { cast: { total: 'numeric(10,2)' } }] }],
    });
    assert.deepEqual(counts(await project.run(pipeline)), [4, 1, 3, 0]);
    await sql(source, `UPDATE orders SET amount = '4', at = now() WHERE id = 4`);
    assert.ok((await project.run(pipeline)).ok);
    const mended = changed(pipeline, {
      transform: [...taken, { nullif: ['n/a'] }, { derive: { total: "replace(total, ' €', '')" } }, { cast: { total: 'numeric(10,2)' } }],
    });
    assert.deepEqual(counts(await retry(mended)), [2, 2, 0, 0]);
    assert.deepEqual(await rows('orders WHERE id < 4', 'id, total, tags, at'), [
      ['1', '1.50', '{a,"b c"}', '2026-01-01 00:00:00+00'],
      ['2', null, '{}', '2026-01-02 00:00:00+00'],
      ['3', '2.00', null, '2026-01-03 00:00:00.000001+00'],
    ]);
    assert.deepEqual(await sql(warehouse, 'SELECT total FROM landed.orders WHERE id = 4'), [{ total: '4.00' }]);
    assert.deepEqual(await open('orders'), []);
  });

  it('leaves rows that a sql step has changed already', async () => {
    const transform = [{ sql: 'SELECT id, day FROM input' }, { cast: { day: 'date' } }];
    const pipeline = await files('queried', dates, { transform });
    assert.deepEqual(counts(await project.run(pipeline)), [4, 1, 3, 0]);
    assert.match(
      notes(await retry(changed(pipeline, { transform: [german] }))),
      /rejections left alone: 3, which were refused behind a sql step/,
    );
  });

  it('keeps every value of a JSON row as it was', async () => {
    const folder = join(project.folder, 'json');
    await mkdir(folder, { recursive: true });
    const good = '{"id": 1, "size": 1.5, "tags": ["a"], "price": "3.10"}';
    const bad = '{"id": 12345678901234567, "size": 0.1, "tags": [1.0, {"b": "\\u0041\\n"}], "price": "3,10"}';
    await writeFile(join(folder, 'rows.ndjson'), `${good}\n${bad}\n`);
    const stream = { stream: 'rows.ndjson', into: 'json_rows', mode: 'merge' as const, key: ['id'] };
    const pipeline = project.pipeline('json', {
      from: folder,
      to: warehouse,
      streams: [{ ...stream, transform: [{ cast: { price: 'numeric(10,2)' } }] }],
    });
    assert.deepEqual(counts(await project.run(pipeline)), [2, 1, 1, 0]);
    const mended = changed(pipeline, { transform: [{ cast: { price: { to: 'numeric(10,2)', decimal: ',' } } }] });
    assert.deepEqual(counts(await retry(mended)), [1, 1, 0, 0]);
    assert.deepEqual(await rows('json_rows', 'id, size, tags, price'), [
      ['1', '1.5', '["a"]', '3.10'],
      ['12345678901234567', '0.1', '[1.0, {"b": "A\\n"}]', '3.10'],
    ]);
  });
});
