import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Column } from '../../schema/column.ts';
import type { Step } from '../../schema/step.ts';
import { describe as describeColumns, transform } from '../../transform/transform.ts';
import type { SourceDatabase, TextRow } from '../kits/postgres-source.ts';
import { parseCsv, readAll, sourceDatabase } from '../kits/postgres-source.ts';
import { planRequest, readPartition, testAttempt } from '../kits/source.ts';

const cases: Readonly<Record<string, readonly Step[]>> = {
  select: [{ select: ['t', 'id'] }],
  drop: [{ drop: ['c', 'at'] }],
  rename: [{ rename: { t: 'v', v: 't' } }],
  'trim of all columns': [{ trim: 'all' }],
  'trim of one column': [{ trim: ['t'] }],
  'nullif of all columns': [{ nullif: ['', 'N/A', "it's", '\\', 'ab'] }],
  'nullif of named columns': [{ nullif: { columns: ['v', 'id'], values: ['N/A', 'n/a', '1'] } }],
  'trim, then nullif': [{ trim: 'all' }, { nullif: ['', 'N/A'] }],
  'nullif, then trim, under a new name': [{ rename: { t: 'text' } }, { nullif: ['N/A'] }, { trim: ['text'] }],
  'filter of numbers': [{ filter: { id: { gte: 2, lt: 9, ne: 4 }, n: { gt: 0.5 } } }],
  'filter of a list': [{ filter: { id: { in: [1, '3', 5] } } }],
  'filter of texts by code point': [{ filter: { v: { gte: 'B', lte: 'b' } } }],
  'filter of one text': [{ trim: 'all' }, { filter: { t: { eq: 'N/A' } } }],
  'filter of what is not a text, which NULL is not': [{ filter: { t: { ne: 'N/A' } } }],
  'filter of NULL': [{ nullif: ['N/A'] }, { filter: { t: { is_null: true } } }],
  'filter of times': [{ filter: { at: { gte: '2026-01-02', lt: '2026-01-06T00:00:00Z' }, d: { ne: '2026-01-03' } } }],
  'filter of truth': [{ filter: { b: { eq: true } } }],
};

describe('steps that a PostgreSQL source takes over', () => {
  let database: SourceDatabase;
  let folder = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-pushdown-'));
    database = await sourceDatabase('source_pushdown');
    await database.sql(`
      CREATE COLLATION ignorant (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE texts (id integer PRIMARY KEY, t text, v varchar(20) COLLATE ignorant, c char(6), n numeric(10, 2), d date, at timestamptz, b boolean, j jsonb);
      INSERT INTO texts VALUES
        (1, E' \\t\\n\\r\\f\\x0Bpadded\\u00A0 ', 'N/A', 'ab', 0.5, '2026-01-01', '2026-01-01 23:59:59.999999+00', true, '{"a": " x "}'),
        (2, 'N/A', 'n/a', 'N/A', 0.51, '2026-01-02', '2026-01-02 00:00:00+00', false, '"N/A"'),
        (3, ' N/A ', 'B', ' ab', 'NaN', '2026-01-03', '2026-01-03', NULL, NULL),
        (4, '', '', '', 100, '2026-01-04', '2026-01-04', true, 'null'),
        (5, '   ', 'b', NULL, -1, '2026-01-05', '2026-01-05', true, '[]'),
        (6, NULL, NULL, 'x', NULL, NULL, NULL, NULL, '1'),
        (7, E'it''s', E'\\\\', 'y', 7, '2026-01-06', '2026-01-05 23:59:59.999999+00', true, '2'),
        (8, E'\\u2003wide\\u2003', 'a', 'z', 8, '2026-01-07', '2026-01-06 01:00:00+02', true, '3'),
        (9, E'"q"\\nline', 'Ba', 'z', 9, '2026-01-08', '2026-01-08', true, '3')`);
  });

  after(async () => {
    await database[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const transformed = async (columns: readonly Column[], steps: readonly Step[], bytes: Buffer): Promise<readonly TextRow[]> => {
    const where = { pipeline: 'shop', stream: 'texts' };
    const [path, outputPath, rejectionsPath] = ['input.csv', 'output.csv', 'rejections.csv'].map((name) => join(folder, name));
    assert.ok(path !== undefined && outputPath !== undefined && rejectionsPath !== undefined);
    await writeFile(path, bytes);
    await transform({
      ...where,
      inputs: [{ path, partition: 0, label: 'all', format: { kind: 'csv' } }],
      columns,
      steps,
      output: await describeColumns(columns, steps, where),
      key: [],
      onFailure: 'reject',
      protect: [],
      ordered: false,
      files: 1,
      outputPath,
      rejectionsPath,
      memoryLimit: '256MB',
      threads: 1,
      tempFolder: join(folder, 'temp'),
      signal: new AbortController().signal,
      beat: () => undefined,
    });
    return parseCsv(await readFile(outputPath));
  };

  for (const [name, steps] of Object.entries(cases)) {
    it(`${name}: the query yields what the transform would`, async () => {
      const [stream] = await database.source.discover(['texts'], testAttempt());
      assert.ok(stream !== undefined);
      const plain = planRequest(stream, { formats: ['csv'] });
      const plan = await database.source.plan(plain, testAttempt());
      const [partition] = plan.partitions;
      assert.ok(partition !== undefined);
      const { bytes } = await readPartition(database.source, plain, plan, partition);
      const pushed = await readAll(database.source, { stream: 'texts' }, { steps });
      assert.equal(pushed.plan.stepsTaken, steps.length);
      const expected = await transformed(plan.columns, steps, bytes);
      assert.deepEqual(pushed.rows, expected);
      assert.deepEqual(pushed.plan.columns, await describeColumns(plan.columns, steps, { pipeline: 'shop', stream: 'texts' }));
    });
  }

  it('stop at the first that a query does not do, or that names what is not there', async () => {
    const taken = async (...steps: readonly Step[]): Promise<number> =>
      (await readAll(database.source, { stream: 'texts' }, { steps })).plan.stepsTaken;
    assert.equal(await taken({ trim: 'all' }, { cast: { t: 'text' } }, { drop: ['t'] }), 1);
    assert.equal(await taken({ drop: ['t'] }, { trim: ['t'] }), 1);
    assert.equal(await taken({ rename: { t: 'v' } }), 0);
    assert.equal(await taken({ select: ['nope'] }), 0);
    assert.equal(await taken({ filter: "t = 'x'" }), 0);
    assert.equal(await taken({ filter: { id: { eq: 'one' } } }), 0);
  });

  it('leave the cursor and the key to the table, whatever is selected', async () => {
    const definition = { stream: 'texts', mode: 'merge', cursor: 'at' } as const;
    const { rows } = await readAll(database.source, definition, {
      steps: [{ select: ['t'] }],
      cursor: '2026-01-08 00:00:00+00',
      partitionBytes: 1,
    });
    assert.deepEqual(
      rows,
      [[null], ['"q"\nline']].slice(0).filter(([t]) => t !== null || rows.length === 2),
    );
  });

  it('end in binary where nothing is left to do before the load', async () => {
    const [stream] = await database.source.discover(['texts'], testAttempt());
    assert.ok(stream !== undefined);
    const format = async (...steps: readonly Step[]): Promise<string> =>
      (await database.source.plan(planRequest(stream, { steps, formats: ['csv', 'pgcopy'] }), testAttempt())).format;
    assert.equal(await format({ trim: 'all' }), 'pgcopy');
    assert.equal(await format({ trim: 'all' }, { cast: { t: 'text' } }), 'csv');
  });
});
