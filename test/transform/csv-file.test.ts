import assert from 'node:assert/strict';
import type { FileDialect } from '../../schema/load.ts';
import { csvFormat, formatCsv, run, text, type Outcome } from './harness.ts';

type Dialect = Partial<Extract<FileDialect, { type: 'csv' }>>;

/** Reads a CSV of columns a and b, both text. */
async function read(bytes: string | Uint8Array, dialect: Dialect = {}, request = {}): Promise<Outcome> {
  const outcome = await run({ files: [bytes], format: csvFormat(['a', 'b'], dialect), columns: text('a', 'b'), request });
  assert.equal(outcome.read, outcome.rows + outcome.rejected);
  return outcome;
}

const refused = (outcome: Outcome) => outcome.rejections.map(({ position, reason, row }) => [position, reason, JSON.parse(row ?? 'null')]);

describe('CSV from outside', () => {
  it('keeps NULL, the empty string, quotes, commas, line ends and backslashes apart', async () => {
    const { output } = await read('a,b\n,""\n"x ""y""","1,2"\n"l\n2","r\r\nn\rm"\n\\.,\\N\n');
    assert.deepEqual(output, [
      [null, ''],
      ['x "y"', '1,2'],
      ['l\n2', 'r\r\nn\rm'],
      ['\\.', '\\N'],
    ]);
  });

  it('rejects rows with too many or too few values by their line, and shifts no column', async () => {
    const outcome = await read('a,b\n1,2\n3\n"x\ny",4\n5,6,7\n8,9\n');
    assert.deepEqual(outcome.output, [
      ['1', '2'],
      ['x\ny', '4'],
      ['8', '9'],
    ]);
    assert.deepEqual(refused(outcome), [
      ['3', 'the row has 1 values where 2 are expected', '3'],
      ['6', 'the row has 3 values where 2 are expected', '5,6,7'],
    ]);
  });

  it('gives the line of a row that fails later, after broken rows and values of several lines', async () => {
    const outcome = await run({
      files: ['a,b\n"1\n2",1\nbroken\n"3\n4\n5",x\n6,7\n8,y\n'],
      format: csvFormat(['a', 'b']),
      columns: text('a', 'b'),
      steps: [{ cast: { b: 'integer' } }],
    });
    assert.deepEqual(
      outcome.rejections.map(({ position, rule }) => [position, rule]),
      [
        ['4', 'csv'],
        ['5', 'cast integer'],
        ['9', 'cast integer'],
      ],
    );
  });

  it('a quote that is never closed costs its own line only', async () => {
    const outcome = await read('a,b\n1,2\n"3,4\n5,6\n7,8\n');
    assert.deepEqual(outcome.output, [
      ['1', '2'],
      ['5', '6'],
      ['7', '8'],
    ]);
    assert.deepEqual(refused(outcome), [['3', 'a quoted value is not closed', '"3,4']]);
    const closedLater = await read('a,b\n"1,2\n"3",4\n5,6\n');
    assert.deepEqual(closedLater.output, [
      ['3', '4'],
      ['5', '6'],
    ]);
    assert.deepEqual(
      closedLater.rejections.map(({ position }) => position),
      ['2'],
    );
  });

  it('rejects text after a closing quote, NUL, invalid UTF-8 and a carriage return outside quotes', async () => {
    const outcome = await read(
      Buffer.concat([Buffer.from('a,b\n"1"x,2\n3,\0\n'), Buffer.from([0xff, 0x2c, 0x31, 10]), Buffer.from('4\r5,6\nü,1\n')]),
    );
    assert.deepEqual(outcome.output, [['ü', '1']]);
    assert.deepEqual(
      outcome.rejections.map(({ position, reason }) => [position, reason]),
      [
        ['2', 'text stands after a closing quote'],
        ['3', 'the row holds a NUL byte'],
        ['4', 'the row is not valid UTF-8'],
        ['5', 'the row holds a carriage return outside quotes'],
      ],
    );
  });

  it('a quote inside a value that does not begin with one is a character; spaces around quotes go', async () => {
    const { output } = await read('a,b\n5" pipe,x"y\n "p" , "q,r" \n');
    assert.deepEqual(output, [
      ['5" pipe', 'x"y'],
      ['p', 'q,r'],
    ]);
  });

  it('skips blank lines, and reads a last line without its end', async () => {
    const outcome = await read('a,b\n\n1,2\n\n\n3,x\ny,4,\n5,6');
    assert.deepEqual(outcome.output, [
      ['1', '2'],
      ['3', 'x'],
      ['5', '6'],
    ]);
    assert.deepEqual(
      outcome.rejections.map(({ position }) => position),
      ['7'],
    );
  });

  it('an empty line of a file with one column is a NULL', async () => {
    const outcome = await run({ files: ['a\nx\n\n""\n'], format: csvFormat(['a']), columns: text('a') });
    assert.deepEqual(outcome.output, [['x'], [null], ['']]);
    assert.equal(outcome.rows, 3);
  });

  for (const [name, newline] of [
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ] as const) {
    it(`reads ${name} files`, async () => {
      const outcome = await read(`a,b${newline}1,"x${newline}y"${newline}2${newline}3,4`, { newline });
      assert.deepEqual(outcome.output, [
        ['1', `x${newline}y`],
        ['3', '4'],
      ]);
      assert.deepEqual(
        outcome.rejections.map(({ row }) => row),
        ['"2"'],
      );
    });
  }

  it('reads files that mix LF and CRLF', async () => {
    const { output } = await read('a,b\n1,2\r\n3,4\n5,6\r\n');
    assert.deepEqual(output, [
      ['1', '2'],
      ['3', '4'],
      ['5', '6'],
    ]);
  });

  it('reads a byte order mark, UTF-16 of both orders, and Latin-1', async () => {
    const content = 'a,b\nä€,"ß\n😀"\n';
    const expected = [['ä€', 'ß\n😀']];
    assert.deepEqual((await read(`\ufeff${content}`)).output, expected);
    assert.deepEqual((await read(Buffer.from(`\ufeff${content}`, 'utf16le'), { encoding: 'utf-16' })).output, expected);
    assert.deepEqual((await read(Buffer.from(`\ufeff${content}`, 'utf16le').swap16(), { encoding: 'utf-16' })).output, expected);
    assert.deepEqual((await read(Buffer.from('a,b\nä,\x80\n', 'latin1'), { encoding: 'latin-1' })).output, [['ä', '€']]);
  });

  it('reads other delimiters, quotes and escapes, and files without quotes or header', async () => {
    assert.deepEqual((await read("a;b\n'x;''y';2\n", { delimiter: ';', quote: "'", escape: "'" })).output, [["x;'y", '2']]);
    assert.deepEqual((await read('a\tb\n"x\\"y"\t2\n', { delimiter: '\t', escape: '\\' })).output, [['x"y', '2']]);
    assert.deepEqual((await read('"x|y\n', { delimiter: '|', quote: '', escape: '', header: false })).output, [['"x', 'y']]);
    assert.deepEqual((await read('1||2\n3|4||5\n', { delimiter: '||', header: false })).output, [
      ['1', '2'],
      ['3|4', '5'],
    ]);
  });

  it('matches the columns by name; those the file has not are NULL, and others are left out', async () => {
    const outcome = await run({ files: ['C,x,a\n1,2,3\n'], format: csvFormat(['C', 'x', 'a']), columns: text('a', 'b', 'c') });
    assert.deepEqual(outcome.output, [['3', null, '1']]);
  });

  it('an empty file and a lone header have no rows', async () => {
    assert.equal((await read('')).read, 0);
    assert.equal((await read('a,b')).read, 0);
  });

  it('finds rows in values that look like rows, in a file of many buffers', async () => {
    const parts = ['"\n"', '","', '\n"1","2"\n', '"', '\n', ',', 'x', '\r\n', '""\n""'];
    const rows = Array.from({ length: 30_000 }, (_, no) => [
      String(no),
      Array.from({ length: 40 }, (__, at) => parts[(no * 7 + at * at * 3 + (no >> 3)) % parts.length]).join(''),
    ]);
    const outcome = await run({ files: [`a,b\n${formatCsv(rows)}`], format: csvFormat(['a', 'b']), columns: text('a', 'b') });
    assert.equal(outcome.rows, rows.length);
    assert.equal(outcome.text, formatCsv(rows));
  });

  it('masks the text of a broken row where the stream has protected columns, and stops at it under on_failure fail', async () => {
    const { rejections } = await read('a,b\nsecret\n', {}, { protect: ['a'] });
    assert.deepEqual(
      rejections.map(({ row }) => row),
      ['"***"'],
    );
    await assert.rejects(read('a,b\n1,2\nsecret\n', {}, { onFailure: 'fail' }), (error: Error) => {
      assert.match(error.message, /file-0.csv, line 3: the row has 1 values where 2 are expected/);
      return !error.message.includes('secret');
    });
  });

  it('says that a damaged staged file is lost', async () => {
    await assert.rejects(run({ files: ['"1","2"\n"3"\n'], columns: text('a', 'b') }), { code: 'staging-lost' });
  });
});
