import assert from 'node:assert/strict';
import type { Step } from '../../schema/step.ts';
import { csvFormat, run, text, type Outcome } from './harness.ts';

const rules = (outcome: Outcome) => outcome.rejections.map(({ position, column, rule }) => [position, column, rule]);

/** Runs steps over a CSV file with a header. */
async function clean(lines: readonly string[], steps: readonly Step[], request = {}): Promise<Outcome> {
  const names = (lines[0] ?? '').split(',');
  const outcome = await run({
    files: [lines.map((line) => `${line}\n`).join('')],
    format: csvFormat(names),
    columns: text(...names),
    steps,
    request,
  });
  assert.equal(outcome.read, outcome.rows + outcome.rejected + outcome.filtered + outcome.duplicates);
  assert.equal(outcome.output.length, outcome.rows);
  assert.equal(outcome.rejections.length, outcome.rejected);
  return outcome;
}

describe('transform steps', () => {
  it('gives nothing of no files: a run that finds no new ones', async () => {
    const steps: readonly Step[] = [
      { derive: { a: 'lower(a)' } },
      { filter: "a <> 'x'" },
      { cast: { b: 'integer' } },
      { expect: { a: { unique: true } } },
      { dedupe: { key: ['a'], order: ['b'] } },
    ];
    const { read, rows, output } = await run({ files: [], columns: text('a', 'b'), steps });
    assert.deepEqual({ read, rows, output }, { read: 0, rows: 0, output: [] });
  });

  it('selects, renames and drops columns', async () => {
    const { output, columns } = await clean(['a,b,c', '1,2,3'], [{ select: ['c', 'a'] }, { rename: { c: 'a', a: 'c' } }, { drop: ['c'] }]);
    assert.deepEqual(columns, [{ name: 'a', type: 'text' }]);
    assert.deepEqual(output, [['3']]);
  });

  it('trims space, tab, line ends, form feed, vertical tab and no-break space at both ends, and nothing else', async () => {
    const { output } = await clean(['a', '" \t\u00a0\u000b\fx y\u2003\n \r"', '""', '"  "', '\u3000z'], [{ trim: 'all' }]);
    assert.deepEqual(output, [['x y\u2003'], [''], [''], ['\u3000z']]);
  });

  it('turns exactly the named texts into NULL', async () => {
    const { output } = await clean(['a,b', 'N/A,N/A', '"",n/a', 'N/A ,x'], [{ nullif: { columns: ['a'], values: ['', 'N/A'] } }]);
    assert.deepEqual(output, [
      [null, 'N/A'],
      [null, 'n/a'],
      ['N/A ', 'x'],
    ]);
  });

  const casts: readonly { readonly to: string; readonly good: Readonly<Record<string, string>>; readonly bad: readonly string[] }[] = [
    {
      to: 'integer',
      good: { '12': '12', ' -7 ': '-7', '+3.00': '3', '2147483647': '2147483647' },
      bad: ['1.5', '1_000', '0x1F', '2147483648', '1e3', ''],
    },
    { to: 'bigint', good: { '9223372036854775807': '9223372036854775807' }, bad: ['9223372036854775808', 'x'] },
    {
      to: 'decimal(14,2)',
      good: { '1.50': '1.50', '-0.1': '-0.1', '1e3': '1000.00', '.5': '.5', '123456789012.34': '123456789012.34', '1.5000': '1.5000' },
      bad: ['1.005', '1234567890123', '1e-5', '.', '1,5', 'NaN'],
    },
    {
      to: 'numeric',
      good: {
        '123456789012345678901234567890123456789012345678901234567890.000000000000000000001':
          '123456789012345678901234567890123456789012345678901234567890.000000000000000000001',
        NaN: 'NaN',
        '1e400': '1e400',
      },
      bad: ['1.2.3', '--1'],
    },
    {
      to: 'numeric(50,20)',
      good: { '123456789012345678901234567890.12345678901234567890': '123456789012345678901234567890.12345678901234567890' },
      bad: ['1234567890123456789012345678901'],
    },
    { to: 'double', good: { '0.1': '0.1', Infinity: 'inf', nan: 'nan', '1e300': '1e+300' }, bad: ['1_0', 'x', '0x1'] },
    { to: 'boolean', good: { yes: 'true', T: 'true', '0': 'false', off: 'false' }, bad: ['maybe', '2'] },
    {
      to: 'date',
      good: { '2024-02-29': '2024-02-29', '2024-1-2': '2024-01-02', '2024-01-02 00:00:00': '2024-01-02', infinity: 'infinity' },
      bad: ['2023-02-29', '2024-01-02 10:00', '02.01.2024'],
    },
    {
      to: 'timestamp',
      good: { '2024-01-02T03:04:05.123456': '2024-01-02 03:04:05.123456', '2024-01-02': '2024-01-02 00:00:00' },
      bad: ['2024-01-02 03:04:05.1234567', '2024-01-02T03:04:05Z', '2024-01-02 25:00'],
    },
    {
      to: 'timestamptz',
      good: {
        '2024-01-02T03:04:05.000001+05:30': '2024-01-01 21:34:05.000001+00',
        '2024-01-02 03:04:00Z': '2024-01-02 03:04:00+00',
        '-infinity': '-infinity',
      },
      bad: ['2024-13-01'],
    },
    { to: 'time', good: { '23:59:59.999999': '23:59:59.999999' }, bad: ['25:00', '1'] },
    { to: 'uuid', good: { 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11': 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' }, bad: ['a0eebc99'] },
    { to: 'jsonb', good: { '{"a": 1.00000000000000000001}': '{"a": 1.00000000000000000001}', null: 'null' }, bad: ['{a:1}', '"\\u0000"'] },
    { to: 'varchar(3)', good: { äöü: 'äöü' }, bad: ['abcd'] },
  ];
  for (const { to, good, bad } of casts) {
    it(`casts to ${to} what is exactly one and rejects the rest`, async () => {
      const inputs = [...Object.keys(good), ...bad].map((value) => `"${value.replaceAll('"', '""')}"`);
      const outcome = await clean(['v', ...inputs], [{ cast: { v: to } }]);
      assert.deepEqual(outcome.output.flat(), Object.values(good));
      assert.equal(outcome.rejected, bad.length);
      assert.ok(outcome.rejections.every(({ rule }) => rule === `cast ${outcome.columns[0]?.type}`));
    });
  }

  it('keeps NULL and casts by format and decimal sign', async () => {
    const { output, rejected } = await clean(
      ['d;n'.replace(';', ','), '31.12.1999,"1.234,50"', '1999-12-31,"1,5"', ',', '01.01.2000,"12.34,5"'],
      [{ cast: { d: { to: 'date', format: '%d.%m.%Y' }, n: { to: 'decimal(14,2)', decimal: ',' } } }],
    );
    assert.deepEqual(output, [
      ['1999-12-31', '1234.50'],
      [null, null],
    ]);
    assert.equal(rejected, 2);
  });

  it('on_failure null makes the value NULL, and fail stops the load with file, line, column and rule but no value', async () => {
    const { output } = await clean(
      ['a,b', 'secret,1'],
      [{ cast: { a: { to: 'integer', on_failure: 'null' } } }, { expect: { b: { pattern: '[a-z]', on_failure: 'null' } } }],
    );
    assert.deepEqual(output, [[null, null]]);
    await assert.rejects(clean(['a', '1', 'secret'], [{ cast: { a: { to: 'integer', on_failure: 'fail' } } }]), (error: Error) => {
      assert.match(error.message, /pipeline p, stream s: file-0.csv, line 3, column a: .*cast integer/);
      assert.ok(!error.message.includes('secret'));
      return 'code' in error && error.code === 'rejected';
    });
  });

  it('filters by comparisons and by SQL; NULL is not true', async () => {
    const steps: readonly Step[] = [
      { cast: { n: 'integer' } },
      { filter: { n: { gte: 2, ne: 4 }, t: { in: ['x', 'y'], is_null: false } } },
      { filter: 'n % 2 = 1' },
    ];
    const outcome = await clean(['n,t', '1,x', '2,x', '3,y', '4,x', '5,', ',x', '7,z'], steps);
    assert.deepEqual(outcome.output, [['3', 'y']]);
    assert.equal(outcome.filtered, 6);
  });

  it('derives columns with the types of their expressions, exact decimals included', async () => {
    const { columns, output, rejections } = await clean(
      ['a,b', '1.10,x', '2.20,7'],
      [{ cast: { a: 'decimal(10,2)' } }, { derive: { twice: 'a * 2', both: "b || '-' || a", n: { sql: 'b', type: 'integer' } } }],
    );
    assert.deepEqual(
      columns.map(({ type }) => type),
      ['numeric(10,2)', 'text', 'numeric(18,2)', 'text', 'integer'],
    );
    assert.deepEqual(output, [['2.20', '7', '4.40', '7-2.20', '7']]);
    assert.deepEqual(
      rejections.map(({ rule, column }) => [rule, column]),
      [['cast integer', 'n']],
    );
  });

  it('a derive that fails for a row rejects the row', async () => {
    const { output, rejections } = await clean(['a', '1', 'x'], [{ derive: { n: 'CAST(a AS INTEGER) + 1' } }]);
    assert.deepEqual(output, [['1', '2']]);
    assert.deepEqual(
      rejections.map(({ rule, column, position }) => [rule, column, position]),
      [['derive', 'n', '3']],
    );
  });

  it('dedupe keeps the first in its order over all files, NULLs last, and ties by position', async () => {
    const outcome = await run({
      files: ['"1","b"\n"1",\n"2","a"\n', '"1","c"\n,"x"\n,"x"\n"2","a"\n'],
      columns: text('k', 'v'),
      steps: [{ dedupe: { key: ['k'], order: ['v desc'] } }],
    });
    assert.deepEqual(new Set(outcome.output.map((row) => row.join(':'))), new Set(['1:c', '2:a', ':x']));
    assert.deepEqual([outcome.read, outcome.duplicates], [7, 4]);
  });

  it('dedupe tells large numbers apart that a double would not', async () => {
    const big = '12345678901234567890123456789012345678901234567890';
    const outcome = await run({
      files: [`"${big}"\n"${big.replace(/0$/, '1')}"\n`],
      columns: [{ name: 'n', type: 'numeric' }],
      steps: [{ dedupe: { key: ['n'], order: ['_line'] } }],
    });
    assert.equal(outcome.rows, 2);
  });

  it('dedupe looks only at rows that did not fail before', async () => {
    const outcome = await clean(['k,d', '1,bad', '1,2024-01-01'], [{ cast: { d: 'date' } }, { dedupe: { key: ['k'], order: ['_line'] } }]);
    assert.deepEqual(outcome.output, [['1', '2024-01-01']]);
    assert.deepEqual([outcome.rejected, outcome.duplicates], [1, 0]);
  });

  it('expect rejects for the first rule broken, in the order of the steps', async () => {
    const outcome = await clean(
      ['a,b,c', ',1,x', '5,0,x', '5,11,x', '5,5,zz', '5,5,y', '5,6,x', '5,6,x'],
      [
        { cast: { b: 'integer' } },
        { expect: { a: { not_null: true }, b: { min: 1, max: 10, sql: 'b <> 7' }, c: { pattern: '[xyz]', in: ['x', 'z', 'zz'] } } },
      ],
    );
    assert.deepEqual(rules(outcome), [
      ['2', 'a', 'not_null'],
      ['3', 'b', 'min'],
      ['4', 'b', 'max'],
      ['5', 'c', 'pattern'],
      ['6', 'c', 'in'],
    ]);
    assert.equal(outcome.rows, 2);
  });

  it('compares numbers of many digits exactly', async () => {
    const columns = [{ name: 'n', type: 'numeric' }];
    const outcome = await run({
      files: ['"9007199254740993"\n"9007199254740992.000000001"\n"9007199254740992"\n"1e300"\n"-5"\n'],
      columns,
      steps: [
        { filter: { n: { gt: '9007199254740992' } } },
        { filter: { n: { in: ['9007199254740993', 1e9, '9007199254740992.000000001'] } } },
      ],
    });
    assert.deepEqual(outcome.output, [['9007199254740993'], ['9007199254740992.000000001']]);
  });

  it('expect unique rejects every row after the first of a value and passes NULLs', async () => {
    const outcome = await clean(['a', 'x', 'y', 'x', '""', '""', 'x'], [{ nullif: [''] }, { expect: { a: { unique: true } } }]);
    assert.deepEqual(rules(outcome), [
      ['4', 'a', 'unique'],
      ['7', 'a', 'unique'],
    ]);
  });

  it('a sql step sees the typed rows that passed; what it leaves out is filtered, and it can not add rows', async () => {
    const steps: readonly Step[] = [
      { cast: { n: 'integer' } },
      { sql: 'SELECT n, n + 1 AS m FROM input WHERE n < (SELECT max(n) FROM input)' },
      { expect: { m: { max: 2 } } },
    ];
    const outcome = await clean(['n', '1', 'x', '2', '3'], steps);
    assert.deepEqual(outcome.output, [['1', '2']]);
    assert.deepEqual([outcome.read, outcome.rejected, outcome.filtered], [4, 2, 1]);
    assert.deepEqual(
      outcome.rejections.map(({ position, rule }) => [position, rule]),
      [
        ['3', 'cast integer'],
        [null, 'max'],
      ],
    );
    await assert.rejects(
      clean(['n', '1'], [{ sql: 'SELECT n FROM input UNION ALL SELECT n FROM input' }]),
      /may leave rows out but not add any/,
    );
  });

  it('rejects a row whose key is NULL, and names the key of others', async () => {
    const outcome = await clean(['id,n', ',1', '7,x'], [{ cast: { n: 'integer' } }], { key: ['id'] });
    assert.deepEqual(rules(outcome), [
      ['2', 'id', 'not_null'],
      ['3', 'n', 'cast integer'],
    ]);
    assert.deepEqual(
      outcome.rejections.map(({ key }) => key),
      ['{"id":null}', '{"id":"7"}'],
    );
  });

  it('keeps the row as it was read, protected columns masked under their old and new names', async () => {
    const { rejections } = await clean(
      ['id,mail,n', '1, a@b ,x', '2,,y'],
      [{ trim: 'all' }, { rename: { mail: 'email' } }, { cast: { n: 'integer' } }],
      { protect: ['email'], key: ['id'] },
    );
    assert.deepEqual(
      rejections.map(({ row }) => row),
      ['{"id":"1","mail":"***","n":"x"}', '{"id":"2","mail":null,"n":"y"}'],
    );
  });
});
