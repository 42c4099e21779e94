import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { to as copyTo } from 'pg-copy-streams';
import type { Column } from '../../schema/column.ts';
import { csv, deliver, makeLoad, testFile, type TestFile, type Value } from '../kits/loads.ts';
import { useWarehouse } from '../kits/postgres-warehouse.ts';

/** Each type with texts that PostgreSQL prints as they are here. */
const samples: Readonly<Record<string, readonly string[]>> = {
  boolean: ['t', 'f'],
  smallint: ['-32768', '32767'],
  integer: ['-2147483648', '2147483647'],
  bigint: ['-9223372036854775808', '9223372036854775807'],
  numeric: [
    'NaN',
    'Infinity',
    '-Infinity',
    '0.00000000000000000000000000000000000001',
    '123456789012345678901234567890.1234567890',
    '1.0',
    '1.00',
  ],
  'numeric(38,18)': ['12345678901234567890.123456789012345678', '-0.000000000000000001'],
  real: ['1e+20', 'NaN', 'Infinity', '0.1'],
  double: ['0.1', '1e-300', '-Infinity', 'NaN', '0.30000000000000004'],
  text: ['', ' ', '\\.', '\\N', 'NULL', 'a,"b"', 'line\nbreak\r\n\ttab', 'żółw 🐢', "it's", '\\'],
  'varchar(9)': ['', '123456789'],
  'char(3)': ['a  ', 'abc'],
  date: ['4713-01-01 BC', 'infinity', '-infinity', '2024-02-29'],
  time: ['23:59:59.999999', '24:00:00'],
  timetz: ['12:00:00.000001+05:30'],
  timestamp: ['2024-01-01 00:00:00.000001', 'infinity', '294276-12-31 23:59:59.999999'],
  timestamptz: ['2024-01-01 00:00:00.000001+00', '-infinity', '4713-01-01 00:00:00+00 BC'],
  'timestamp(3)': ['2024-01-01 00:00:00.123'],
  interval: ['1 year 2 mons 3 days 04:05:06.000007', '-00:00:00.000001'],
  uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  json: ['{"a":1,  "a":2}', 'null', '"\\u0000"'],
  jsonb: ['{"a": 1.00}', 'null', '[]'],
  bytea: ['\\x', '\\x00ff5c0a'],
  inet: ['10.0.0.1/8', '::1'],
  cidr: ['10.0.0.0/8'],
  macaddr: ['08:00:2b:01:02:03'],
  'bit(3)': ['101'],
  varbit: ['', '10101'],
  xml: ['<a>1</a>'],
  'integer[]': ['{}', '{1,NULL,3}', '{{1,2},{3,4}}', '[0:1]={1,2}'],
  'text[]': ['{}', '{"",NULL,"NULL","a,b","\\"","\\\\"}'],
  'numeric(10,2)[]': ['{1.00,NaN}'],
  'timestamptz[]': ['{"2024-01-01 00:00:00.000001+00",infinity}'],
  'jsonb[]': ['{"{\\"a\\": 1.0}"}'],
};

const names = Object.keys(samples);
const columns: readonly Column[] = [{ name: 'id', type: 'bigint' }, ...names.map((type, at) => ({ name: `c${at}`, type }))];
const list = columns.map((column) => column.name).join(', ');
const longest = Math.max(...Object.values(samples).map((texts) => texts.length));

/** A row for each sample, and one of NULLs. */
const sampleRows: readonly (readonly Value[])[] = [
  ...Array.from({ length: longest }, (_, row) => [
    String(row),
    ...names.map((type) => samples[type]?.[row % (samples[type]?.length ?? 1)] ?? null),
  ]),
  [String(longest), ...names.map(() => null)],
];

describe('PostgreSQL as warehouse: types arrive exact', () => {
  const under = useWarehouse();

  const binary = async (table: string, rows: number): Promise<TestFile> => {
    const parts: Buffer[] = [];
    const sink = new Writable({ write: (chunk: Buffer, _, done) => (parts.push(chunk), done()) });
    await pipeline(under.client.query(copyTo(`COPY ${table} (${list}) TO STDOUT (FORMAT binary)`)), sink);
    return testFile(Buffer.concat(parts), rows, { kind: 'pgcopy' });
  };
  const asTexts = async (table: string): Promise<unknown> => await under.rows(`SELECT ${list} FROM ${table} ORDER BY id`);

  for (const mode of ['replace', 'merge', 'history'] as const) {
    for (const format of ['csv', 'binary'] as const) {
      it(`${mode} from ${format}, and again over what is there`, async () => {
        await under.client.query("SET timezone = 'UTC'");
        await deliver(under.warehouse, makeLoad({ definition: { mode }, columns }), [csv(sampleRows)]);
        const expected = await asTexts('shop.orders');
        assert.deepEqual(expected, sampleRows);
        const file = format === 'csv' ? csv(sampleRows) : await binary('shop.orders', sampleRows.length);
        const again = await deliver(under.warehouse, makeLoad({ definition: { mode }, columns, expectedVersion: 1 }), [file]);
        assert.equal(again.unchanged, mode === 'replace' ? 0 : sampleRows.length);
        assert.deepEqual(await asTexts('shop.orders'), expected);
      });
    }
  }

  it('any text and any number arrives as it was, by csv and by merge', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll('\0', ''));
    const number = fc
      .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(12))
      .map(([digits, scale]) => `${digits}.${'7'.repeat(scale + 1)}`.replace('-0.', '0.'));
    const row = fc.tuple(fc.option(text), fc.option(number), fc.option(fc.array(text, { maxLength: 3 })));
    let version = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 30 }), async (rows) => {
        const given = rows.map(([a, b, c], at) => [String(at), a, b, c === null ? null : JSON.stringify(c)]);
        const types = ['bigint', 'text', 'numeric', 'jsonb'].map((type, at) => ({ name: at === 0 ? 'id' : `c${at}`, type }));
        await deliver(under.warehouse, makeLoad({ columns: types, expectedVersion: version++ }), [csv(given)]);
        const found = await under.rows('SELECT id, c1, c2, c3 FROM shop.orders WHERE id < $1 ORDER BY id', [rows.length]);
        const parsed = found.map((values) => [
          values[0],
          values[1],
          values[2],
          values[3] === null ? null : JSON.parse(values[3] as string),
        ]);
        assert.deepEqual(
          parsed,
          rows.map(([a, b, c], at) => [String(at), a, b, c]),
        );
      }),
      {
        numRuns: 25,
        examples: [
          [
            [
              ['', '-5.7', ['']],
              [null, null, null],
            ],
          ],
        ],
      },
    );
  });
});
