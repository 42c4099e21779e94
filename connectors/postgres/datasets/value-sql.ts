import type { DatasetColumn, Mask } from '../../../schema/dataset.ts';
import type { Statement } from './statement.ts';
import { baseOf } from './types.ts';

const base64 = (value: string): string => `translate(encode(${value}, 'base64'), E'\\n', '')`;

/** What PostgreSQL makes the right JSON of: 64-bit integers and decimals as text, so that they are exact; bytes as base64. */
export function jsonValue(value: string, column: DatasetColumn): string {
  const base = baseOf(column.type);
  const array = column.array ? '[]' : '';
  if (base === 'bytea') return column.array ? bytesArray(value) : base64(value);
  if (column.json === 'bigint' || column.json === 'decimal') return `${value}::text${array}`;
  // Composite types would become objects, and types of extensions whatever a cast of theirs makes of them.
  return column.native === undefined ? value : `${value}::text${array}`;
}

/** Arrays of bytes have one dimension here. */
function bytesArray(value: string): string {
  return `CASE WHEN ${value} IS NOT NULL THEN ARRAY(SELECT ${base64('one')} FROM unnest(${value}) AS one) END`;
}

/** A value as a mask shows it: text, the same for equal values under `hash` (HMAC-SHA256 of the value's text, in hex). */
export function masked(statement: Statement, value: string, mask: Mask): string {
  if (mask === 'null') return 'NULL::text';
  if (mask === 'redact') return `CASE WHEN ${value} IS NOT NULL THEN '***' END`;
  const [inner, outer] = statement.pads();
  return `encode(sha256(${outer} || sha256(${inner} || convert_to(${value}::text, 'UTF8'))), 'hex')`;
}
