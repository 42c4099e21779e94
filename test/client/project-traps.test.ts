import assert from 'node:assert/strict';
import { load, problems, filesProject } from './project-kit.ts';

async function step(text: string): Promise<string> {
  const found = await problems(filesProject(`transform:\n  - ${text}`));
  return found.join('\n');
}

async function read(text: string): Promise<unknown> {
  const { project } = await load(filesProject(`transform:\n  - ${text}`));
  return project.pipelines?.['films']?.streams['movies.csv']?.transform?.[0];
}

/** What a step looks like without quotes, and what the error says to write. */
const unquoted: readonly (readonly [step: string, says: string])[] = [
  ['select: *', 'write "*"'],
  ['select: [*]', 'write "*"'],
  ['select: [id, 1e3]', 'write "1e3"'],
  ['select: [2024]', 'write "2024"'],
  ['rename: { a: null }', 'write "null"'],
  ['rename: { null: a }', 'write "null"'],
  ['rename: { 0123: a }', 'write "0123"'],
  ['drop: [@internal]', 'write "@internal"'],
  ['drop: [~]', 'write "~"'],
  ['trim: *', 'write "*"'],
  ['trim: [true]', 'write "true"'],
  ['nullif: [N/A, null, unknown]', 'write "null"'],
  ['nullif: [N/A, ~]', 'write "~"'],
  ['nullif: [false]', 'write "false"'],
  ['nullif: [0, -1]', 'write "-1"'],
  ['nullif: [-]', 'write "-"'],
  ['nullif: [#N/A]', 'write "#N/A"'],
  ['nullif: [ #N/A ]', 'put the value in quotes'],
  ['nullif: [!, x]', 'write "!"'],
  ['nullif: [&, x]', 'write "&"'],
  ['nullif: [%]', 'write "%"'],
  ["nullif: [', x]", 'not closed'],
  ['cast: { budget: decimal(14,2) }', 'write "decimal(14,2)"'],
  ['cast: { budget: decimal(14, 2), day: date }', 'write "decimal(14, 2)"'],
  ['cast: { a: { to: date, format: %d.%m.%Y } }', 'write "%d.%m.%Y"'],
  ['cast: { tags: text[] }', 'write "text[]"'],
  ['cast: { a:date }', 'After a colon comes a space'],
  ["filter: status = 'a: b'", `write "status = 'a: b'"`],
  ["filter: 'a' = name", `write "'a' = name"`],
  ['filter: "a" = 1', `write '"a" = 1'`],
  ['filter: !deleted', 'write "!deleted"'],
  ['filter: &a and b', 'write "&a and b"'],
  ['filter: `a` = 1', 'write "`a` = 1"'],
  ['filter: > 5', 'write "> 5"'],
  ["filter: color = ' #fff'", `"color = ' #fff'"`],
  ['filter: { code: { in: [01, 02] } }', 'write "02"'],
  ['filter: { a: { eq: 12345678901234567890 } }', 'write "12345678901234567890"'],
  ['filter: { a: { is_null: yes } }', 'write true'],
  ['derive: { a: coalesce(b, c) }', 'write "coalesce(b, c)"'],
  ["derive: { a: b || ': ' || c }", `write "b || ': ' || c"`],
  ['derive: { a: { sql: round(x, 2), type: decimal(14,2) } }', 'write "round(x, 2)"'],
  ['derive: { a: 1 }', 'write "1"'],
  ['dedupe: { key: [1], order: [a] }', 'write "1"'],
  ['dedupe: { key: [a], order: [* desc] }', 'write "*"'],
  ['dedupe: { key: a, order: [b] }', 'write [a]'],
  ['expect: { a: { pattern: ^\\d{2}$ } }', "write '^\\d{2}$'"],
  ['expect: { a: { pattern: [A-Z]+ } }', 'write "[A-Z]+"'],
  ['expect: { a: { pattern: "\\d+" } }', 'use single quotes'],
  ['expect: { a: { in: [null, b] } }', 'write "null"'],
  ['expect: { a: { sql: a in (1, 2) } }', 'write "a in (1, 2)"'],
  ['expect: { a: { not_null: on } }', 'write true'],
  ['sql: *', 'write "*"'],
  ["sql: select 'a: b' from input", `write "select 'a: b' from input"`],
  ["sql: select 'a # b' from input", `"select 'a # b' from input"`],
  ['sql: null', 'write "null"'],
];

describe('project file: what YAML reads otherwise than it looks', () => {
  for (const [text, says] of unquoted) {
    it(`${text} → ${says}`, async () => {
      const message = await step(text);
      assert.ok(message.includes(says), message);
      assert.match(message, /^millrace\.yaml:\d+:\d+: /);
    });
  }

  it('every step is among the unquoted forms', async () => {
    const { stepSchemas } = await import('../../schema/step.ts');
    const names = new Set(unquoted.map(([text]) => text.split(':')[0]));
    assert.deepEqual([...names].toSorted(), Object.keys(stepSchemas).toSorted());
  });

  it('the error stands at the line and column of the value', async () => {
    const text = filesProject('transform:\n  - cast: { a: decimal(14,2) }');
    const line = text.split('\n').findIndex((row) => row.includes('cast:')) + 1;
    assert.match((await problems(text))[0] ?? '', new RegExp(`^millrace.yaml:${line}:24: `));
  });

  it('yes, no, on, off and dates are text', async () => {
    assert.deepEqual(await read('nullif: [N/A, no, yes, on, off, 2024-01-01]'), {
      nullif: ['N/A', 'no', 'yes', 'on', 'off', '2024-01-01'],
    });
  });

  it('what needs no quotes is read as it stands', async () => {
    assert.deepEqual(await read('cast:\n      a: decimal(14,2)'), { cast: { a: 'decimal(14,2)' } });
    assert.deepEqual(await read('filter: a > 5 and b % 2 = 0'), { filter: 'a > 5 and b % 2 = 0' });
    assert.deepEqual(await read('expect: { a: { pattern: ^a|b$, min: -1.50, max: 100 } }'), {
      expect: { a: { pattern: '^a|b$', min: -1.5, max: 100 } },
    });
  });

  it('a pattern of streams that begins with * is to be quoted', async () => {
    const message = (await problems(filesProject('mode: replace').replace('movies.csv:', '*.csv:'))).join('\n');
    assert.match(message, /write "\*\.csv" in quotes/);
    assert.deepEqual(await problems(filesProject('mode: replace').replace('movies.csv:', '"*.csv":')), []);
  });

  it('a reference within braces is to be quoted', async () => {
    const message = (await problems(filesProject('mode: replace').replace('"${env:SHOP_URL}"', '${env:SHOP_URL}'))).join('\n');
    assert.match(message, /a reference must be in quotes: write "\$\{env:SHOP_URL\}"/);
  });

  it('a name that stands twice is an error', async () => {
    assert.match((await problems(filesProject('mode: replace\nmode: append'))).join('\n'), /The name mode stands here twice/);
  });

  it('a tab for indentation is an error', async () => {
    assert.match((await problems(filesProject('\tmode: replace'))).join('\n'), /A tab cannot indent/);
  });

  it('anchors and << work, but not without limit', async () => {
    const shared = 'mode: replace\ntransform: &clean\n  - trim: all\n';
    const { project } = await load(`${filesProject(shared)}      b.csv: { transform: *clean }\n`);
    assert.deepEqual(project.pipelines?.['films']?.streams['b.csv']?.transform, [{ trim: 'all' }]);
    const bomb = Array.from({ length: 9 }, (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(', ')}]`);
    assert.match((await problems(['a0: &a0 [x]', ...bomb].join('\n'))).join('\n'), /references to anchors/);
  });
});
