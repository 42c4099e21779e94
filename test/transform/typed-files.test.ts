import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Column } from '../../schema/column.ts';
import type { StagedFormat } from '../../schema/load.ts';
import { run } from './harness.ts';

const format = (type: 'ndjson' | 'json' | 'parquet', columns: readonly Column[]): StagedFormat => ({
  kind: 'foreign',
  dialect: { type, columns },
});

const columns: readonly Column[] = [
  { name: 'id', type: 'numeric' },
  { name: 'name', type: 'text' },
  { name: 'ok', type: 'boolean' },
  { name: 'tags', type: 'jsonb' },
];

describe('JSON from outside', () => {
  it('keeps every digit of numbers, the text of nested values, and NULL', async () => {
    const lines = [
      '{"id": 12345678901234567890123, "name": "a\\n\\"b\\" \\u00e4", "ok": true, "tags": {"x": 1.10000000000000000001, "y": ["}", "]"]}}',
      '{"name": "", "id": -0.1000000000000000055511151231257827, "ok": null, "tags": null}',
      '{"id": 1e400}',
    ];
    const { output } = await run({ files: [`${lines.join('\r\n')}\n\n`], format: format('ndjson', columns), columns });
    assert.deepEqual(output, [
      ['12345678901234567890123', 'a\n"b" ä', 'true', '{"x": 1.10000000000000000001, "y": ["}", "]"]}'],
      ['-0.1000000000000000055511151231257827', '', null, null],
      ['1e400', null, null, null],
    ]);
  });

  it('rejects malformed lines, other values, unknown keys, NUL and values of other types by their line', async () => {
    const lines = ['{"id": 1}', '{"id": 2', '[3]', '{"other": 4}', '{"name": "\\u0000"}', '', '{"id": "x"}', '{"id": 8}'];
    const outcome = await run({ files: [lines.join('\n')], format: format('ndjson', columns), columns });
    assert.deepEqual(
      outcome.rejections.map(({ position, rule }) => [position, rule]),
      [
        ['2', 'json'],
        ['3', 'json'],
        ['4', 'json'],
        ['5', 'json'],
        ['7', 'cast numeric'],
      ],
    );
    assert.deepEqual([outcome.read, outcome.rows], [7, 2]);
  });

  it('reads an array of objects over lines, and objects one after the other', async () => {
    const array = '[\n {"id": 1, "name": "a]"},\n {\n  "id": 2,\n  "name": "b}\\""\n },\n 7\n]\n';
    const outcome = await run({ files: [array], format: format('json', columns), columns });
    assert.deepEqual(
      outcome.output.map((row) => row.slice(0, 2)),
      [
        ['1', 'a]'],
        ['2', 'b}"'],
      ],
    );
    assert.deepEqual(
      outcome.rejections.map(({ position, row }) => [position, row]),
      [['7', '"7"']],
    );
    const values = await run({ files: ['{"id": 1}\n{\n"id": 2}{"id": 3}'], format: format('json', columns), columns });
    assert.deepEqual(
      values.output.map((row) => row[0]),
      ['1', '2', '3'],
    );
    const cut = await run({ files: ['[{"id": 1}, {"id": 2'], format: format('json', columns), columns });
    assert.deepEqual([cut.rows, cut.rejected], [1, 1]);
    assert.equal((await run({ files: ['[]'], format: format('json', columns), columns })).read, 0);
  });
});

describe('Parquet from outside', () => {
  it('gives every type in PostgreSQL text, exact', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-parquet-'));
    try {
      const path = join(folder, 'x.parquet');
      const connection = await (await DuckDBInstance.create(':memory:')).connect();
      await connection.run(`COPY (SELECT 12345678901234567890.123456789012345678::DECIMAL(38,18) AS n, 9223372036854775807::BIGINT AS i,
        '2024-01-02 03:04:05.123456+00'::TIMESTAMPTZ AS t, 'infinity'::DATE AS d, '\\xFF\\x00'::BLOB AS b, ['a"\\,', NULL, 'NULL']::VARCHAR[] AS l,
        {'x': 1, 'y': [1, 2]} AS s, 'NaN'::DOUBLE AS f, true AS o, '' AS e, NULL::VARCHAR AS z
        UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'a' || chr(0), NULL) TO '${path}' (FORMAT parquet)`);
      connection.closeSync();
      const types = {
        n: 'numeric(38,18)',
        i: 'bigint',
        t: 'timestamptz',
        d: 'date',
        b: 'bytea',
        l: 'text[]',
        s: 'jsonb',
        f: 'double',
        o: 'boolean',
        e: 'text',
        z: 'text',
      };
      const parquetColumns = Object.entries(types).map(([name, type]) => ({ name, type }));
      const outcome = await run({ files: [await readFile(path)], format: format('parquet', parquetColumns), columns: parquetColumns });
      assert.deepEqual(outcome.output, [
        [
          '12345678901234567890.123456789012345678',
          '9223372036854775807',
          '2024-01-02 03:04:05.123456+00',
          'infinity',
          '\\xff00',
          '{"a\\"\\\\,",NULL,"NULL"}',
          '{"x":1,"y":[1,2]}',
          'nan',
          'true',
          '',
          null,
        ],
      ]);
      assert.deepEqual(
        outcome.rejections.map(({ position, column, rule }) => [position, column, rule]),
        [['2', 'e', 'text']],
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
