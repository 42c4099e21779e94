import type { DatasetRead, OutputField } from '../../../schema/dataset.ts';
import type { Columns } from './filter-sql.ts';
import type { Member } from './object-sql.ts';
import type { Statement } from './statement.ts';
import { isWritten } from './types.ts';
import { jsonValue, masked } from './value-sql.ts';

/** Spreadsheets take a cell that begins like this for a formula. https://owasp.org/www-community/attacks/CSV_Injection */
const formula = /^[=+\-@\t\r]/;

const quoted = (text: string): string => `'"' || replace(${text}, '"', '""') || '"'`;
const guarded = (text: string): string => `CASE WHEN ${text} ~ E'^[=+\\\\-@\\t\\r]' THEN '''' || ${text} ELSE ${text} END`;

/** The header of a read's CSV. */
export function csvHeader(read: DatasetRead): string {
  const name = (as: string): string => `"${(formula.test(as) ? `'${as}` : as).replaceAll('"', '""')}"`;
  return read.fields.map(({ as }) => name(as)).join(',');
}

/** SQL for a row's line of CSV: text in quotes, NULL as nothing, arrays and relations as JSON. */
export function csvLine(
  statement: Statement,
  fields: readonly OutputField[],
  columns: Columns,
  member: (field: OutputField) => Member,
): string {
  const cells = fields.map((field) => {
    if (field.kind === 'constant') return quoted(guarded(statement.bind(field.value, field.as, 'text')));
    if (field.kind === 'relation') return quoted(`(${member(field)[1]})::text`);
    const value = columns.sql(field.column);
    if (field.mask !== undefined) return quoted(masked(statement, value, field.mask));
    return cellSql(value, columns, field.column);
  });
  return cells.length === 0 ? `''` : cells.map((cell) => `coalesce(${cell}, '')`).join(` || ',' || `);
}

const bare: ReadonlySet<string> = new Set(['integer', 'number', 'boolean', 'bigint', 'decimal', 'date', 'time', 'uuid', 'bytes']);

function cellSql(value: string, columns: Columns, name: string): string {
  const column = columns.column(name);
  if (column.array) return quoted(`to_json(${jsonValue(value, column)})::text`);
  if (column.json === 'timestamp') return `to_json(${value}) #>> '{}'`;
  if (bare.has(column.json)) return `${jsonValue(value, column)}::text`;
  return quoted(isWritten(column) ? guarded(`${value}::text`) : `${value}::text`);
}
