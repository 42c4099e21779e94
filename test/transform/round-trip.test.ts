import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Column } from '../../schema/column.ts';
import type { Step } from '../../schema/step.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { csvFormat, formatCsv, run, text, type Row } from './harness.ts';

describe('the output of a transform', () => {
  let url = '';
  let client: pg.Client;

  before(async () => {
    url = await createDatabase('transform');
    client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("SET timezone = 'UTC'");
  });

  after(async () => {
    await client.end();
    await dropDatabase(url);
  });

  /** Puts a CSV into a table of the columns and gives back its rows as text. */
  async function load(columns: readonly Column[], csv: string): Promise<readonly Row[]> {
    const sqlTypes: Readonly<Record<string, string>> = { double: 'double precision' };
    await client.query('DROP TABLE IF EXISTS t');
    const list = columns.map(({ name, type }) => `"${name}" ${sqlTypes[type] ?? type}`).join(', ');
    await client.query(`CREATE TABLE t (no serial, ${list})`);
    const names = columns.map(({ name }) => `"${name}"`);
    await pipeline(Readable.from([csv]), client.query(copyFrom(`COPY t (${names.join(', ')}) FROM STDIN (FORMAT csv)`)));
    const { rows } = await client.query<(string | null)[]>({
      text: `SELECT ${names.map((name) => `${name}::text`).join(', ')} FROM t ORDER BY no`,
      rowMode: 'array',
    });
    return rows;
  }

  const exact: Readonly<Record<string, readonly (string | null)[]>> = {
    'numeric(38,18)': ['12345678901234567890.123456789012345678', '-0.000000000000000001', null],
    bigint: ['9223372036854775807', '-9223372036854775808', '0'],
    timestamptz: ['2024-01-02 03:04:05.123456+00', 'infinity', '1999-12-31 23:59:59.000001+00'],
    timestamp: ['2024-01-02 03:04:05.000001', '-infinity', null],
    date: ['infinity', '2024-02-29', '1582-10-15'],
    double: ['0.1', 'NaN', '-Infinity'],
    uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', null, null],
    boolean: ['true', 'false', null],
    jsonb: ['{"a": 1.00000000000000000001}', 'null', '[]'],
    text: ['', '\\.', 'a"\r\n\\N,\t\r'],
    numeric: ['1e400'.replace('e400', '0'.repeat(400)), 'NaN', '0.10'],
  };
  const columns = Object.keys(exact).map((type) => ({ name: type, type }));
  const rows = [0, 1, 2].map((at) => Object.values(exact).map((values) => values[at] ?? null));

  it('arrives in PostgreSQL as it was when no step touches it', async () => {
    const { output, text: csv } = await run({ files: [formatCsv(rows)], columns });
    assert.deepEqual(output, rows);
    assert.deepEqual(await load(columns, csv), rows);
  });

  it('arrives in PostgreSQL as it was when it is cast from text, and when it is typed twice', async () => {
    const cast: Step = { cast: Object.fromEntries(columns.map(({ name, type }) => [name, type])) };
    const outcome = await run({
      files: [formatCsv(rows)],
      columns: columns.map(({ name }) => ({ name, type: 'text' })),
      steps: [cast, cast],
    });
    assert.deepEqual(outcome.columns, columns);
    assert.deepEqual(outcome.rejections, []);
    assert.deepEqual(await load(columns, outcome.text), rows);
  });

  it('a lone column keeps NULL, the empty string and a lone backslash-dot', async () => {
    const lone = [['a'], [null], [''], ['\\.'], [null]];
    const { text: csv } = await run({ files: [formatCsv(lone)], columns: text('a') });
    assert.deepEqual(await load(text('a'), csv), lone);
  });

  it('arrives as it was for any text', async () => {
    const value = fc.option(
      fc
        .array(fc.oneof(fc.constantFrom('"', ',', '\n', '\r', '\\', '.', ' ', '\u00a0'), fc.string({ unit: 'grapheme', maxLength: 3 })), {
          maxLength: 8,
        })
        .map((parts) => parts.join('').replaceAll('\0', '')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(value, value), { maxLength: 12 }), async (values) => {
        const outcome = await run({ files: [formatCsv(values)], columns: text('a', 'b') });
        assert.deepEqual(outcome.output, values);
        assert.deepEqual(await load(text('a', 'b'), outcome.text), values);
      }),
      { numRuns: 25 },
    );
  });
});

describe('the books of a transform', () => {
  it('balance for any bytes and any of the steps: read = rows + rejected + filtered + duplicates', async () => {
    const line = fc
      .array(fc.constantFrom('1', '2', 'x', ',', ',', '"', '""', '\r', ' ', 'ä', '\0', '2024-01-01', '-5', '1.5'), { maxLength: 7 })
      .map((parts) => parts.join(''));
    const steps: readonly Step[] = [
      { trim: 'all' },
      { nullif: [''] },
      { cast: { a: 'integer' } },
      { filter: { a: { lt: 3 } } },
      { derive: { c: 'a * 2' } },
      { dedupe: { key: ['a'], order: ['b desc', '_line'] } },
      { expect: { b: { not_null: true, in: ['1', '2', 'x'], unique: true } } },
      { sql: 'SELECT a, b FROM input WHERE a > 0' },
      { cast: { b: { to: 'integer', on_failure: 'null' } } },
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 30 }),
        fc.subarray([...steps]),
        fc.constantFrom('\n', '\r\n'),
        async (lines, chosen, newline) => {
          const outcome = await run({
            files: [lines.join(newline)],
            format: csvFormat(['a', 'b'], { header: false, newline }),
            columns: text('a', 'b'),
            steps: usable(chosen),
            request: { key: ['a'] },
          });
          assert.equal(outcome.read, outcome.rows + outcome.rejected + outcome.filtered + outcome.duplicates);
          assert.equal(outcome.rows, outcome.output.length);
          assert.equal(outcome.rejected, outcome.rejections.length);
          assert.ok(outcome.output.every(([a]) => a !== null));
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** Leaves out steps that need a number where nothing made one. */
function usable(steps: readonly Step[]): readonly Step[] {
  const typed = steps.some((step) => 'cast' in step && 'a' in step.cast);
  return typed ? steps : steps.filter((step) => !('filter' in step) && !('derive' in step) && !('sql' in step));
}

describe('the movies file of vega-datasets', () => {
  it('is cleaned by believable steps', async () => {
    const path = new URL('../../node_modules/vega-datasets/data/movies.json', import.meta.url);
    const movies: readonly Readonly<Record<string, unknown>>[] = JSON.parse(await readFile(path, 'utf8'));
    const types: Readonly<Record<string, string>> = {
      'US Gross': 'numeric',
      'Production Budget': 'numeric',
      'Running Time min': 'numeric',
      'IMDB Rating': 'numeric',
    };
    const columns = Object.keys(movies[0] ?? {}).map((name) => ({ name, type: types[name] ?? 'text' }));
    const outcome = await run({
      files: [await readFile(path)],
      format: { kind: 'foreign', dialect: { type: 'json', columns } },
      columns,
      steps: [
        { rename: { Title: 'title', 'Release Date': 'release_date', 'Production Budget': 'budget', 'IMDB Rating': 'rating' } },
        { select: ['title', 'release_date', 'budget', 'rating'] },
        { trim: 'all' },
        { nullif: ['', 'N/A', 'Unknown'] },
        { cast: { release_date: { to: 'date', format: '%b %d %Y' }, budget: 'decimal(14,2)' } },
        { dedupe: { key: ['title', 'release_date'], order: ['release_date desc', '_line desc'] } },
        { expect: { title: { not_null: true }, budget: { min: 0 }, rating: { min: 0, max: 10 }, release_date: { max: '2020-01-01' } } },
      ],
    });
    assert.equal(outcome.read, movies.length);
    assert.equal(outcome.read, outcome.rows + outcome.rejected + outcome.duplicates);
    assert.ok(outcome.rows > 3000 && outcome.rejected > 0);
    const rules = new Set(outcome.rejections.map(({ column, rule }) => `${column} ${rule}`));
    assert.ok(rules.has('title not_null'), [...rules].join());
  });
});
