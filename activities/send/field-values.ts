import { randomUUID } from 'node:crypto';
import { parseType, type Column } from '../../schema/column.ts';
import { ExactNumber, type FieldValue } from '../../schema/value.ts';

/** A value as the plan's JSON has it, made into what applications are sent. */
type Convert = (value: unknown) => FieldValue;

const plainNumber = /^-?\d+(\.\d+)?$/;

/** `-0.50` and `-0.5` are one number: without signs of zero, leading and trailing zeros. */
const canonical = (text: string): string =>
  text
    .replace(/^(-?)0+(?=\d)/, '$1')
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')
    .replace(/^-0$/, '0');

/** A number of JavaScript where that is the very same one; `NaN` and infinities stay text, which JSON can't hold as numbers. */
function exact(value: unknown): FieldValue {
  if (typeof value !== 'string') return value as FieldValue;
  const number = Number(value);
  if (String(number) === value && Number.isFinite(number)) return number;
  if (!plainNumber.test(value)) return value;
  return plainNumber.test(String(number)) && canonical(String(number)) === canonical(value) ? number : new ExactNumber(value);
}

const moment = /^(\d{4,}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)(?:([+-]\d\d)(?::?(\d\d))?)?$/;

/** ISO 8601; UTC as `Z`. */
function isoMoment(value: unknown): FieldValue {
  const parts = typeof value === 'string' ? moment.exec(value) : null;
  if (parts === null) return value as FieldValue;
  const [, day, time, hours, minutes = '00'] = parts;
  const zone = hours === undefined ? '' : `${hours}:${minutes}` === '+00:00' ? 'Z' : `${hours}:${minutes}`;
  return `${day}T${time}${zone}`;
}

/** `\x…` as base64. */
const base64 = (value: unknown): FieldValue =>
  typeof value === 'string' && value.startsWith('\\x') ? Buffer.from(value.slice(2), 'hex').toString('base64') : (value as FieldValue);

const unchanged: Convert = (value) => value as FieldValue;

const byBase: Readonly<Record<string, Convert>> = {
  bigint: exact,
  numeric: exact,
  smallint: exact,
  integer: exact,
  timestamp: isoMoment,
  timestamptz: isoMoment,
  bytea: base64,
};

const each =
  (convert: Convert): Convert =>
  (value) =>
    Array.isArray(value) ? value.map(each(convert)) : value === null ? null : convert(value);

/** How values of a column become values of fields. */
export function converterOf({ type }: Column): Convert {
  const parsed = parseType(type);
  const convert = parsed === undefined ? unchanged : (byBase[parsed.base] ?? unchanged);
  if (convert === unchanged) return unchanged;
  return each(convert);
}

const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** So many digits every number of JavaScript can hold. */
const safeLength = 15;

/** The numbers of a JSON text that JavaScript can't hold, as texts behind a mark that no other text has. */
function markNumbers(json: string, mark: string): string {
  return json.replace(token, (found) => {
    if (found.startsWith('"') || (found.length <= safeLength && !/e/i.test(found))) return found;
    const isExact = plainNumber.test(found) ? !(exact(found) instanceof ExactNumber) : Number.isFinite(Number(found));
    return isExact ? found : `"${mark}${found}"`;
  });
}

/** Reads a plan's values: JSON columns keep every digit of their numbers. */
export function valuesReader(columns: readonly Column[]): (json: string) => readonly unknown[] {
  const plain = (json: string): readonly unknown[] => JSON.parse(json) as readonly unknown[];
  if (!columns.some(({ type }) => /^jsonb?$/.test(parseType(type)?.base ?? ''))) return plain;
  const mark = `${randomUUID()}:`;
  const revive = (_name: string, value: unknown): unknown =>
    typeof value === 'string' && value.startsWith(mark) ? new ExactNumber(value.slice(mark.length)) : value;
  return (json) => {
    const marked = markNumbers(json, mark);
    return marked === json ? plain(json) : (JSON.parse(marked, revive) as readonly unknown[]);
  };
}
