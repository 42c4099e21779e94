import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Step } from '../../schema/step.ts';
import { describe as describeSteps, needsWholeStream } from '../../transform/transform.ts';
import { csvFormat, run, text } from './harness.ts';

const where = { pipeline: 'shop', stream: 'orders' };
const columns = [...text('title', 'budget'), { name: 'n', type: 'integer' }, { name: 'made', type: 'timestamptz' }];

describe('describe', () => {
  it('gives the columns and types after the steps', async () => {
    const steps: readonly Step[] = [
      { cast: { budget: 'decimal(14,2)' } },
      { derive: { share: 'budget / n', year: 'year(made)', tags: "['a', title]", raw: "'x'::BLOB" } },
      { drop: ['title'] },
      { dedupe: { key: ['n'], order: ['made desc'] } },
      { sql: 'SELECT *, count(*) OVER () AS all_rows FROM input' },
    ];
    assert.deepEqual(await describeSteps(columns, steps, where), [
      { name: 'budget', type: 'numeric(14,2)' },
      { name: 'n', type: 'integer' },
      { name: 'made', type: 'timestamptz' },
      { name: 'share', type: 'double' },
      { name: 'year', type: 'bigint' },
      { name: 'tags', type: 'jsonb' },
      { name: 'raw', type: 'text' },
      { name: 'all_rows', type: 'bigint' },
    ]);
  });

  const mistakes: readonly (readonly [string, readonly Step[], RegExp])[] = [
    [
      'a missing column, with the nearest name',
      [{ trim: 'all' }, { cast: { bugdet: 'integer' } }],
      /step 2 \(cast\): column bugdet doesn't exist here; did you mean budget\?/,
    ],
    ['a column that an earlier step removed', [{ drop: ['n'] }, { select: ['n'] }], /step 2 \(select\): column n doesn't exist here/],
    ['a type that is none', [{ cast: { n: 'nummer' } }], /step 1 \(cast\): column n: can't cast to nummer; types are boolean/],
    ['a mistake in a SQL expression', [{ derive: { x: 'lenght(title)' } }], /step 1 \(derive\): column x: .*lenght.*does not exist/],
    ['a missing column in a SQL condition', [{ filter: 'budgte > 1' }], /step 1 \(filter\): .*budgte.*budget/],
    ['SQL that does not parse', [{ filter: 'n >' }], /step 1 \(filter\)/],
    ['SQL that is more than an expression', [{ derive: { x: '1), (2' } }], /step 1 \(derive\): column x/],
    ['two expressions', [{ derive: { x: '1, 2' } }], /one SQL expression is expected/],
    ['a statement behind an expression', [{ derive: { x: '1; DROP TABLE input' } }], /step 1 \(derive\): column x/],
    [
      'a bound of another type',
      [{ expect: { made: { min: 'yesterday' } } }],
      /step 1 \(expect\): column made is timestamptz: "yesterday" is not of that type/,
    ],
    [
      'a number as bound of a text',
      [{ expect: { budget: { min: 0 } } }],
      /step 1 \(expect\): column budget is text, and 0 is a number: cast the column first/,
    ],
    ['a pattern that is none', [{ expect: { title: { pattern: '(' } } }], /column title: the pattern is not a regular expression/],
    ['two columns of one name', [{ rename: { title: 'n' } }], /column n would be there twice/],
    ['a mistake in a query', [{ sql: 'SELECT titel FROM input' }], /step 1 \(sql\): .*titel/],
    ['a statement that is no query', [{ sql: 'DELETE FROM input' }], /step 1 \(sql\): one SELECT is expected/],
  ];
  for (const [name, steps, message] of mistakes) {
    it(`finds ${name}`, async () => {
      await assert.rejects(describeSteps(columns, steps, where), (error: Error) => {
        assert.match(error.message, /^pipeline shop, stream orders, /);
        assert.match(error.message, message);
        return 'code' in error && error.code === 'config';
      });
    });
  }

  it('knows which steps need the whole stream', () => {
    assert.ok(needsWholeStream([{ dedupe: { key: ['a'], order: ['a'] } }]));
    assert.ok(needsWholeStream([{ sql: 'FROM input' }]));
    assert.ok(needsWholeStream([{ expect: { a: { unique: true } } }]));
    assert.ok(!needsWholeStream([{ trim: 'all' }, { expect: { a: { not_null: true, unique: false } } }]));
  });
});

describe('SQL of users', () => {
  const secret = join(tmpdir(), `millrace-secret-${process.pid}.csv`);
  const reads = [
    "FROM read_csv('/etc/passwd')",
    `FROM '${secret}'`,
    "FROM read_text('/etc/passwd')",
    "FROM glob('/etc/*')",
    'FROM duckdb_secrets()',
  ];

  before(async () => {
    await writeFile(secret, 'a\n1\n');
  });

  for (const sql of reads) {
    it(`reads no files: ${sql.replace(secret, 'a file')}`, async () => {
      await assert.rejects(
        run({ files: ['a\n1\n'], format: csvFormat(['a']), columns: text('a'), steps: [{ sql: `SELECT 1 AS a ${sql}` }] }),
        { code: 'config' },
      );
      await assert.rejects(
        run({ files: ['a\n1\n'], format: csvFormat(['a']), columns: text('a'), steps: [{ derive: { x: `(SELECT count(*) ${sql})` } }] }),
        { code: 'config' },
      );
    });
  }

  for (const sql of [
    `ATTACH '${secret}.db'`,
    `COPY input TO '${secret}.out'`,
    'INSTALL httpfs',
    'SET enable_external_access = true',
    'PRAGMA version',
  ]) {
    it(`is a query and nothing else: ${sql.split(' ')[0]}`, async () => {
      await assert.rejects(run({ files: ['"1"\n'], columns: text('a'), steps: [{ sql }] }), { code: 'config' });
      await assert.rejects(run({ files: ['"1"\n'], columns: text('a'), steps: [{ sql: `SELECT a FROM input; ${sql}` }] }), {
        code: 'config',
      });
    });
  }

  it('sees no environment', async () => {
    await assert.rejects(run({ files: ['"1"\n'], columns: text('a'), steps: [{ derive: { x: "getenv('HOME')" } }] }), { code: 'config' });
  });

  it('leaks no value when it fails', async () => {
    await assert.rejects(
      run({ files: ['"geheim"\n'], columns: text('a'), steps: [{ sql: 'SELECT CAST(a AS INTEGER) AS a FROM input' }] }),
      (error: Error) => !error.message.includes('geheim') && !inspect(error.cause).includes('geheim'),
    );
  });
});

describe('a transform', () => {
  it('stops its work when it is cancelled, with the reason of the cancellation', async () => {
    const controller = new AbortController();
    const rows = Array.from({ length: 3000 }, (_, no) => `"${no}"\n`).join('');
    const work = run({
      files: [rows],
      columns: text('a'),
      steps: [{ sql: 'SELECT i.a FROM input i WHERE (SELECT sum(hash(x.a || y.a || z.a)) FROM input x, input y, range(1000) z(a)) > 0' }],
      request: { signal: controller.signal },
    });
    const reason = new Error('cancelled');
    const started = Date.now();
    setTimeout(() => controller.abort(reason), 300);
    await assert.rejects(work, reason);
    assert.ok(Date.now() - started < 20_000);
  });

  it('spills to disk instead of failing when its memory is small', async () => {
    const rows = Array.from({ length: 120_000 }, (_, no) => `"${no % 1000}","${'x'.repeat(1000)}${no}"\n`).join('');
    const outcome = await run({
      files: [rows],
      columns: text('k', 'v'),
      steps: [{ dedupe: { key: ['k'], order: ['v desc'] } }],
      request: { memoryLimit: '64MB', threads: 1 },
    });
    assert.deepEqual([outcome.rows, outcome.duplicates], [1000, 119_000]);
  });

  for (const lineEnd of [' ', '\n']) {
    it(`keeps the order of a file where it decides between rows, values ${lineEnd === ' ' ? 'without' : 'with'} line ends`, async () => {
      const rows = 250_000;
      const file = Array.from(
        { length: rows },
        (_, no) => `${no},"${'x'.repeat(40)}${lineEnd}${'y'.repeat(40)}",${Math.min(no, rows - 3)}\n`,
      );
      const request = { ordered: true };
      const input = {
        files: [file.join('')],
        format: csvFormat(['n', 'v', 'k'], { header: false }),
        columns: text('n', 'v', 'k'),
        request,
      };
      const { output } = await run(input);
      assert.ok(output.every(([n], at) => Number(n) === at));
      const deduped = await run({ ...input, steps: [{ dedupe: { key: ['k'], order: ['_line'] } }] });
      assert.ok(deduped.output.every(([n], at) => Number(n) === at));
      assert.equal(deduped.rows, rows - 2);
    });
  }

  it('writes many rows to several files, each row to one of them', async () => {
    const rows = 200_000;
    const lines = Array.from({ length: rows }, (_, no) => `"${no}","${'x'.repeat(100)}\n""${no % 7}"\n`);
    const dedupe = { key: ['n'], order: ['_line'] };
    const outcome = await run({ files: [lines.join('')], columns: text('n', 'v'), steps: [{ dedupe }], request: { files: 2 } });
    assert.deepEqual([outcome.rows, outcome.files.length], [rows, 2]);
    const written = outcome.output.toSorted(([a], [b]) => Number(a) - Number(b));
    assert.ok(written.every(([n, v], no) => `"${n}","${v?.replace('"', '""')}"\n` === lines[no]));
  });

  it('gives the same bytes when it runs again', async () => {
    const files = [Array.from({ length: 50_000 }, (_, no) => `"${no % 777}","${no % 13}"\n`).join('')];
    const once = () =>
      run({ files, columns: text('k', 'v'), steps: [{ dedupe: { key: ['k'], order: ['v desc'] } }, { cast: { v: 'integer' } }] });
    const [first, second] = [await once(), await once()];
    assert.equal(first.rows, 777);
    assert.deepEqual([...first.output].map(String).sort(), [...second.output].map(String).sort());
  });
});
