import { parseType } from '../../../schema/column.ts';
import type { DatasetColumn, JsonType } from '../../../schema/dataset.ts';

const jsonTypes: Readonly<Record<string, JsonType>> = {
  smallint: 'integer',
  integer: 'integer',
  bigint: 'bigint',
  numeric: 'decimal',
  real: 'number',
  double: 'number',
  boolean: 'boolean',
  date: 'date',
  time: 'time',
  timetz: 'time',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  uuid: 'uuid',
  json: 'json',
  jsonb: 'json',
  bytea: 'bytes',
};

/** How JSON shows a type of `schema/column.ts`; types that JSON has no form for are their text. */
export const jsonTypeOf = (type: string): JsonType => jsonTypes[baseOf(type)] ?? 'string';

const bases = new Map<string, string>();

/** The type without modifiers and array. */
export function baseOf(type: string): string {
  const known = bases.get(type);
  if (known !== undefined) return known;
  const base = parseType(type)?.base ?? 'text';
  if (bases.size < 1_000) bases.set(type, base);
  return base;
}

const spelled: Readonly<Record<string, string>> = { double: 'double precision', char: 'bpchar' };

/** The type that values are compared as, in SQL, without a length or precision, which would cut them. */
export function comparedAs(column: DatasetColumn, array = column.array): string {
  const base = baseOf(column.type);
  return `${column.native ?? spelled[base] ?? base}${array ? '[]' : ''}`;
}

const texts: ReadonlySet<string> = new Set(['text', 'varchar', 'char']);

/** Whether a person wrote the values: text, and types of extensions and enums, whose text form may be anything. */
export const isWritten = (column: DatasetColumn): boolean => texts.has(baseOf(column.type)) || column.native !== undefined;

const numbers: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint', 'numeric', 'real', 'double']);
const times: ReadonlySet<string> = new Set(['date', 'timestamp', 'timestamptz']);

/** Columns of one family can be equal to each other. */
export function familyOf(column: DatasetColumn): string {
  const base = baseOf(column.type);
  if (column.native !== undefined) return comparedAs(column);
  const family = [numbers, texts, times].findIndex((types) => types.has(base));
  return `${family < 0 ? base : family}${column.array ? '[]' : ''}`;
}
