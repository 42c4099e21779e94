import type { FilesReadOptions } from './settings.ts';

/** How the records of a CSV text are told apart. */
export interface CsvForm {
  readonly delimiter: string;
  readonly quote: string;
  readonly escape: string;
  readonly newline: '\n' | '\r\n' | '\r';
  readonly header: boolean;
}

const sniffedRecords = 1000;

/** Finds the form of a CSV text from its beginning; options win. `rows` are its first records. */
export function sniff(
  sample: string,
  options: FilesReadOptions,
  usual: string,
): { readonly form: CsvForm; readonly rows: readonly (readonly string[])[]; readonly mixedNewlines: boolean } {
  const quote = options.quote ?? '"';
  const candidates = delimiters(options, usual).flatMap((delimiter) =>
    escapes(sample, options, quote).map((escape) => ({ delimiter, escape })),
  );
  let best: { readonly delimiter: string; readonly escape: string; readonly records: Records; readonly score: number } | undefined;
  for (const { delimiter, escape } of candidates) {
    const records = splitRecords(sample, delimiter, quote, escape);
    const score = consistency(records.rows);
    if (best === undefined || score > best.score) best = { delimiter, escape, records, score };
  }
  if (best === undefined) throw new TypeError('no delimiter to try');
  const { delimiter, escape, records } = best;
  const header = options.header ?? looksLikeHeader(records.rows);
  const newlines = Object.entries(records.newlines).filter(([, count]) => count > 0);
  return {
    form: { delimiter, quote, escape, newline: commonest(records.newlines), header },
    rows: records.rows,
    mixedNewlines: newlines.length > 1,
  };
}

/** The usual one of the file's kind stands first, so that it is taken where nothing speaks for another. */
function delimiters(options: FilesReadOptions, usual: string): readonly string[] {
  if (options.delimiter !== undefined) return [options.delimiter];
  return [usual, ...[',', ';', '\t', '|'].filter((delimiter) => delimiter !== usual)];
}

function escapes(sample: string, options: FilesReadOptions, quote: string): readonly string[] {
  if (quote === '') return [''];
  if (options.escape !== undefined) return [options.escape];
  return sample.includes(`\\${quote}`) ? [quote, '\\'] : [quote];
}

interface Records {
  readonly rows: readonly (readonly string[])[];
  readonly newlines: Readonly<Record<CsvForm['newline'], number>>;
}

/** The first records of a text; quotes open a value only at its start. */
function splitRecords(text: string, delimiter: string, quote: string, escape: string): Records {
  const rows: string[][] = [];
  const newlines = { '\n': 0, '\r\n': 0, '\r': 0 };
  let row: string[] = [];
  for (let at = 0; at < text.length && rows.length < sniffedRecords;) {
    const { value, end } = valueAt(text, at, delimiter, quote, escape);
    row.push(value);
    if (text[end] === delimiter) {
      at = end + 1;
      continue;
    }
    const newline = newlineAt(text, end);
    if (newline !== '') newlines[newline] += 1;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
    at = end + Math.max(newline.length, 1);
  }
  if (row.length > 0) rows.push([...row, '']);
  return { rows, newlines };
}

function valueAt(
  text: string,
  at: number,
  delimiter: string,
  quote: string,
  escape: string,
): { readonly value: string; readonly end: number } {
  const quoted = quote !== '' && text[at] === quote ? quotedValue(text, at, quote, escape) : { value: '', end: at };
  const end = endOfValue(text, quoted.end, delimiter);
  return { value: quoted.value + text.slice(quoted.end, end), end };
}

function quotedValue(text: string, start: number, quote: string, escape: string): { readonly value: string; readonly end: number } {
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const character = text[at] ?? '';
    const next = text[at + 1];
    if (character === escape && (next === quote || (escape !== quote && next === escape))) {
      value += next;
      at += 1;
    } else if (character === quote) {
      return { value, end: at + 1 };
    } else {
      value += character;
    }
  }
  return { value, end: text.length };
}

function endOfValue(text: string, from: number, delimiter: string): number {
  let at = from;
  while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') at += 1;
  return at;
}

function newlineAt(text: string, at: number): CsvForm['newline'] | '' {
  if (text[at] === '\n') return '\n';
  if (text[at] !== '\r') return '';
  return text[at + 1] === '\n' ? '\r\n' : '\r';
}

function commonest(newlines: Records['newlines']): CsvForm['newline'] {
  if (newlines['\r\n'] > newlines['\n'] && newlines['\r\n'] >= newlines['\r']) return '\r\n';
  return newlines['\r'] > newlines['\n'] ? '\r' : '\n';
}

/** The share of records that have the commonest number of values; 0 where that is one. */
function consistency(rows: Records['rows']): number {
  const { width, count } = commonestWidth(rows);
  const share = rows.length === 0 ? 0 : count / rows.length;
  return width > 1 && share > 0.5 ? share : 0;
}

/** How many values most records have. */
export function commonestWidth(rows: Records['rows']): { readonly width: number; readonly count: number } {
  const counts = new Map<number, number>();
  for (const row of rows) counts.set(row.length, (counts.get(row.length) ?? 0) + 1);
  let best = { width: 0, count: 0 };
  for (const [width, count] of counts) if (count > best.count) best = { width, count };
  return best;
}

const number = /^\s*[-+]?[\d.,]*\d[\d.,]*(e[-+]?\d+)?%?\s*$/i;
const date = /^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}/;
const year = /^\s*(19|20)\d\d\s*$/;

function isData(value: string): boolean {
  return (number.test(value) && !year.test(value)) || date.test(value);
}

/** False only where the first record has numbers or dates at places where the following ones have them too. */
function looksLikeHeader([first = [], ...others]: Records['rows']): boolean {
  if (others.length === 0) return !first.some(isData);
  return !first.some(
    (value, column) => isData(value) && others.every((row) => row[column] === undefined || row[column] === '' || isData(row[column])),
  );
}
