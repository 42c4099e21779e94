import { parseType, type ColumnType } from '../../../schema/column.ts';

const decimals: ReadonlySet<string> = new Set(['bigint', 'numeric']);

/** SQL for a value's JSON text, `null` for NULL: decimals and big integers as text, times as ISO 8601, bytes as base64. */
export function jsonOf(expression: string, type: ColumnType): string {
  return `coalesce(${jsonValue(expression, type)}::text, 'null')`;
}

function jsonValue(expression: string, type: ColumnType): string {
  const parsed = parseType(type);
  const base = parsed?.base ?? 'text';
  if (decimals.has(base)) return `to_json((${expression})::text${parsed?.array === true ? '[]' : ''})`;
  if (base === 'bytea' && parsed?.array === false) return `to_json(translate(encode(${expression}, 'base64'), E'\\n', ''))`;
  return `to_json(${expression})`;
}

/** SQL for the JSON text that `jsonOf` would have given, from the value's text as a key has it. */
export function jsonOfText(text: string, type: ColumnType): string {
  const base = parseType(type)?.base ?? 'text';
  const asText = `to_json(${text})::text`;
  const raw = (pattern: string): string => `CASE WHEN ${text} ~ '${pattern}' THEN ${text} ELSE ${asText} END`;
  if (base === 'smallint' || base === 'integer') return raw('^-?[0-9]+$');
  if (base === 'real' || base === 'double') return raw('^-?[0-9.]+(e[-+]?[0-9]+)?$');
  if (base === 'boolean') return raw('^(true|false)$');
  if (base === 'timestamp') return `to_json(replace(${text}, ' ', 'T'))::text`;
  if (base === 'timestamptz') return `to_json(regexp_replace(replace(${text}, ' ', 'T'), '([-+][0-9]{2})$', '\\1:00'))::text`;
  if (base === 'bytea') return `to_json(translate(encode(decode(substr(${text}, 3), 'hex'), 'base64'), E'\\n', ''))::text`;
  return asText;
}

/** SQL that joins JSON texts with commas; functions with many arguments end at a hundred. */
export function joined(parts: readonly string[]): string {
  return parts.length === 0 ? `''` : parts.join(` || ',' || `);
}
