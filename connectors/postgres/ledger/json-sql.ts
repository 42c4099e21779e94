import { parseType, type ColumnType } from '../../../schema/column.ts';

const decimals: ReadonlySet<string> = new Set(['bigint', 'numeric']);

/** SQL for a value's JSON text, `null` for NULL: decimals and big integers as text, times as ISO 8601, bytes as base64. */
export function jsonOf(expression: string, type: ColumnType): string {
  return `coalesce(${jsonValue(expression, type)}::text, 'null')`;
}

/** Functions take so many arguments. */
const mostArguments = 100;

/** SQL for the JSON array of the values of columns, each as `jsonOf` has it. */
export function jsonArrayOf(values: readonly (readonly [expression: string, type: ColumnType])[]): string {
  if (values.length > mostArguments) return `'[' || ${joined(values.map(([expression, type]) => jsonOf(expression, type)))} || ']'`;
  return `json_build_array(${values.map(([expression, type]) => jsonArgument(expression, type)).join(', ')})::text`;
}

function jsonValue(expression: string, type: ColumnType): string {
  return `to_json(${jsonArgument(expression, type)})`;
}

/** What PostgreSQL makes the JSON of. */
function jsonArgument(expression: string, type: ColumnType): string {
  const parsed = parseType(type);
  const base = parsed?.base ?? 'text';
  if (decimals.has(base)) return `(${expression})::text${parsed?.array === true ? '[]' : ''}`;
  if (base === 'bytea' && parsed?.array === false) return `translate(encode(${expression}, 'base64'), E'\\n', '')`;
  return expression;
}

const asJson = (text: string): string => `to_json(${text})::text`;
/** The text as it is, where it is JSON; a column may have had another type once. */
const plain =
  (pattern: string) =>
  (text: string): string =>
    `CASE WHEN ${text} ~ '${pattern}' THEN ${text} ELSE ${asJson(text)} END`;
const whole = plain('^-?[0-9]+$');
const decimal = plain('^-?[0-9.]+(e[-+]?[0-9]+)?$');

const fromText: Readonly<Record<string, (text: string) => string>> = {
  smallint: whole,
  integer: whole,
  real: decimal,
  double: decimal,
  boolean: plain('^(true|false)$'),
  timestamp: (text) => asJson(`replace(${text}, ' ', 'T')`),
  timestamptz: (text) => asJson(`regexp_replace(replace(${text}, ' ', 'T'), '([-+][0-9]{2})$', '\\1:00')`),
  bytea: (text) => asJson(`translate(encode(decode(substr(${text}, 3), 'hex'), 'base64'), E'\\n', '')`),
};

/** SQL for the JSON text that `jsonOf` would have given, from the value's text as a key has it. */
export function jsonOfText(text: string, type: ColumnType): string {
  return (fromText[parseType(type)?.base ?? 'text'] ?? asJson)(text);
}

/** SQL that joins JSON texts with commas; functions with many arguments end at a hundred. */
export function joined(parts: readonly string[]): string {
  return parts.length === 0 ? `''` : parts.join(` || ',' || `);
}
