import type { Column } from '../../schema/column.ts';
import { parseType } from '../../schema/column.ts';
import type { Comparison } from '../../schema/step.ts';
import { quoteLiteral } from './sql.ts';

/** A column of the query: what it is called now, its type, and the SQL that yields it. */
export interface Projected extends Column {
  readonly sql: string;
}

type Scalar = string | number | boolean;

const operators = [
  ['eq', '='],
  ['ne', '<>'],
  ['gt', '>'],
  ['gte', '>='],
  ['lt', '<'],
  ['lte', '<='],
] as const;

const date = /^\d{4}-\d{2}-\d{2}$/;
const time = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$/;
const zonedTime = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?$/;
const decimal = /^-?\d+(\.\d+)?$/;

/** By type: the SQL that a value is compared as, undefined for a value that isn't one of the type's. Dates without a zone are UTC. */
const literals: Readonly<Record<string, (value: Scalar) => string | undefined>> = {
  smallint: exactNumber,
  integer: exactNumber,
  bigint: exactNumber,
  numeric: exactNumber,
  boolean: (value) => (typeof value === 'boolean' ? String(value) : undefined),
  text: text,
  varchar: text,
  date: matching(date, 'date'),
  timestamp: matching(new RegExp(`${date.source}|${time.source}`), 'timestamp'),
  timestamptz: matching(new RegExp(`${date.source}|${zonedTime.source}`), 'timestamptz'),
  uuid: matching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'uuid'),
};

/**
 * Conditions of a structured filter: texts by code point, numbers exactly, NULL fulfils `is_null: true` alone. Undefined where a
 * column is missing, or a type or value is not one whose comparison is the same in every engine.
 */
export function filterConditions(
  columns: readonly Projected[],
  filter: Readonly<Record<string, Comparison>>,
): readonly string[] | undefined {
  const conditions = Object.entries(filter).map(([name, comparison]) => {
    const column = columns.find((candidate) => candidate.name === name);
    return column === undefined ? undefined : comparisonConditions(column, comparison);
  });
  return conditions.every((condition) => condition !== undefined) ? conditions.flat() : undefined;
}

function comparisonConditions(column: Projected, comparison: Comparison): readonly string[] | undefined {
  const { is_null: isNull, in: values, ...rest } = comparison;
  const side = comparedSide(column);
  const conditions = operators.flatMap(([name, operator]) => {
    const value = rest[name];
    return value === undefined ? [] : [compared(column, side, operator, value)];
  });
  if (values !== undefined) conditions.push(anyOf(column, side, values));
  if (isNull !== undefined) conditions.push(`(${column.sql}) IS ${isNull ? '' : 'NOT '}NULL`);
  return conditions.every((condition) => condition !== undefined) ? conditions : undefined;
}

/** In a numeric of bounded precision NaN compares as unknown, as it does in the transform. */
function comparedSide(column: Projected): string {
  const parsed = parseType(column.type);
  return parsed?.base === 'numeric' && parsed.modifiers.length > 0 ? `nullif(${column.sql}, 'NaN')` : `(${column.sql})`;
}

function compared(column: Projected, side: string, operator: string, value: Scalar): string | undefined {
  const literal = literalOf(column, value);
  return literal === undefined ? undefined : `${side} ${operator} ${literal}`;
}

function anyOf(column: Projected, side: string, values: readonly Scalar[]): string | undefined {
  const all = values.map((value) => literalOf(column, value));
  return all.every((literal) => literal !== undefined) ? `${side} IN (${all.join(', ')})` : undefined;
}

function literalOf(column: Projected, value: Scalar): string | undefined {
  const parsed = parseType(column.type);
  return parsed === undefined || parsed.array ? undefined : literals[parsed.base]?.(value);
}

function exactNumber(value: Scalar): string | undefined {
  return typeof value !== 'boolean' && decimal.test(String(value)) ? `'${String(value)}'::numeric` : undefined;
}

function text(value: Scalar): string | undefined {
  return typeof value === 'string' ? `${quoteLiteral(value)}::text COLLATE "C"` : undefined;
}

function matching(pattern: RegExp, type: string): (value: Scalar) => string | undefined {
  return (value) => (typeof value === 'string' && pattern.test(value) ? `${quoteLiteral(value)}::${type}` : undefined);
}
