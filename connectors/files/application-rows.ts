import { MillraceError } from '../../schema/errors.ts';
import { ExactNumber, jsonText, type FieldValue } from '../../schema/value.ts';
import type { Batch, OutgoingRow } from '../application.ts';

/** The columns of a sync's files, in order. */
export interface Layout {
  readonly match: readonly string[];
  readonly fields: readonly string[];
  /** The first column is `_operation`. */
  readonly withOperation: boolean;
}

const operationColumn = '_operation';

/** What spreadsheets take for a formula, full-width forms too, also behind blanks that an import may trim. https://owasp.org/www-community/attacks/CSV_Injection */
const formula = /^[\s\u00A0\u200B\u2060\uFEFF]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/;
const plainNumber = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** A text that a spreadsheet shows as it is: an apostrophe stands before what would be a formula. Numbers stay numbers. */
export function escapeFormula(text: string): string {
  return formula.test(text) && !plainNumber.test(text) ? `'${text}` : text;
}

/** Rows as CSV with a header; NULL and a field that isn't given are empty, an empty text is `""`. */
export function csvBytes(layout: Layout, { operation, rows }: Batch, formulas: 'escape' | 'keep'): Buffer {
  const shown = formulas === 'escape' ? escapeFormula : (text: string): string => text;
  const cell = (value: FieldValue | undefined): string => {
    if (value === null || value === undefined) return '';
    if (typeof value === 'number' || typeof value === 'boolean' || value instanceof ExactNumber) return String(value);
    return quoted(shown(typeof value === 'string' ? value : jsonText(value)));
  };
  const header = [...(layout.withOperation ? [operationColumn] : []), ...layout.match, ...layout.fields].map((name) => quoted(shown(name)));
  const lines = rows.map((row) => [...(layout.withOperation ? [operation] : []), ...valuesOf(layout, row).map(cell)].join(','));
  return Buffer.from(`${[header.join(','), ...lines].join('\r\n')}\r\n`);
}

const quoted = (text: string): string => (text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Rows as NDJSON; a field that isn't given is left out. */
export function ndjsonBytes(layout: Layout, { operation, rows }: Batch): Buffer {
  const lines = rows.map((row) => {
    const values = valuesOf(layout, row);
    const members = [...layout.match, ...layout.fields].map((name, no) => [name, values[no]] as const);
    return jsonText(Object.fromEntries([...(layout.withOperation ? [[operationColumn, operation] as const] : []), ...members]));
  });
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

function valuesOf({ match, fields }: Layout, row: OutgoingRow): readonly (FieldValue | undefined)[] {
  const values = [...match.map((name) => row.match[name]), ...fields.map((name) => row.fields[name])];
  if (values.some((value) => typeof value === 'string' && value.includes('\0'))) {
    throw new MillraceError('rejected', 'a value holds the character NUL, which no text file can');
  }
  return values;
}
