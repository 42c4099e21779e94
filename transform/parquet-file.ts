import { parseType, type Column } from '../schema/column.ts';
import { identifier, literal } from './sql-text.ts';

function elementText(base: string): string {
  if (base === 'bytea') return `'"\\\\x' || lower(hex(v)) || '"'`;
  const text = base === 'date' || base.startsWith('timestamp') ? `replace(CAST(v AS VARCHAR), '(BC)', 'BC')` : 'CAST(v AS VARCHAR)';
  return `'"' || replace(replace(${text}, '\\', '\\\\'), '"', '\\"') || '"'`;
}

/** A Parquet column in PostgreSQL's text form. */
function columnText({ name, type }: Column): string {
  const value = identifier(name);
  const parsed = parseType(type);
  const base = parsed?.base ?? 'text';
  if (parsed?.array === true) {
    return `CASE WHEN ${value} IS NOT NULL THEN '{' || array_to_string(list_transform(${value}, lambda v: CASE WHEN v IS NULL THEN 'NULL' ELSE ${elementText(base)} END), ',') || '}' END`;
  }
  if (base === 'bytea') return `'\\x' || lower(hex(${value}))`;
  if (base === 'json' || base === 'jsonb') return `CAST(to_json(${value}) AS VARCHAR)`;
  const text = `CAST(${value} AS VARCHAR)`;
  return base === 'date' || base.startsWith('timestamp') ? `replace(${text}, '(BC)', 'BC')` : text;
}

/** Reads a Parquet file with each column as text, called `f0`, `f1` … */
export function readParquet(path: string, columns: readonly Column[]): string {
  const list = columns.map((column, index) => `${columnText(column)} AS f${index}`);
  return `(SELECT ${list.join(', ')} FROM read_parquet(${literal(path)}))`;
}
