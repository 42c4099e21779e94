import { MillraceError } from '../../../schema/errors.ts';
import type { Comparison, DatasetColumn, Filter } from '../../../schema/dataset.ts';
import type { Statement } from './statement.ts';
import { comparedAs } from './types.ts';

/** The SQL of columns by name, and their types. */
export interface Columns {
  sql(name: string): string;
  column(name: string): DatasetColumn;
}

/** A condition that is true or false for every row, never NULL; see `Filter`. */
export function filterSql(statement: Statement, filter: Filter, columns: Columns): string {
  if (filter.kind === 'not') return `(${filterSql(statement, filter.filter, columns)}) IS NOT TRUE`;
  if (filter.kind === 'compare') return compare(statement, filter, columns);
  if (filter.filters.length === 0) return filter.kind === 'and' ? 'true' : 'false';
  return filter.filters.map((one) => `(${filterSql(statement, one, columns)})`).join(filter.kind === 'and' ? ' AND ' : ' OR ');
}

type Compare = Extract<Filter, { kind: 'compare' }>;

const operators: Partial<Record<Comparison, string>> = { eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=', ne: 'IS DISTINCT FROM' };

function compare(statement: Statement, { column: name, op, value }: Compare, columns: Columns): string {
  const sql = columns.sql(name);
  const column = columns.column(name);
  const subject = `column ${JSON.stringify(name)}`;
  requireComparable(column, op, subject);
  if (op === 'null') return `${sql} IS ${value === true || value === 'true' ? '' : 'NOT '}NULL`;
  const isOfMany = op === 'in' || op === 'not_in';
  if (Array.isArray(value) && !isOfMany) throw new MillraceError('rejected', `${subject}: ${op} takes one value`);
  if (isOfMany) {
    const list = statement.bind(Array.isArray(value) ? value : [String(value)], subject, `${comparedAs(column)}[]`);
    return op === 'in' ? `${sql} = ANY (${list})` : `(${sql} = ANY (${list})) IS NOT TRUE`;
  }
  return compareOne(statement, sql, op, String(value), subject, column);
}

function compareOne(statement: Statement, sql: string, op: Comparison, value: string, subject: string, column: DatasetColumn): string {
  const operator = operators[op];
  if (operator !== undefined) return `${sql} ${operator} ${statement.bind(value, subject, comparedAs(column))}`;
  const pattern = `${op === 'contains' ? '%' : ''}${likePattern(value)}%`;
  return `${sql}::text ${op === 'contains' ? 'ILIKE' : 'LIKE'} ${statement.bind(pattern, subject, 'text')}`;
}

const likePattern = (text: string): string => text.replaceAll(/[\\%_]/g, String.raw`\$&`);

function requireComparable(column: DatasetColumn, op: Comparison, subject: string): void {
  if (op === 'null') return;
  const isJson = column.json === 'json' || column.type === 'xml';
  if (isJson) throw new MillraceError('rejected', `${subject}: values of type ${column.type} can't be compared, only with null`);
  if (column.array && op !== 'eq' && op !== 'ne')
    throw new MillraceError('rejected', `${subject}: arrays can only be compared with eq, ne and null`);
  if ((op === 'contains' || op === 'starts') && column.json !== 'string')
    throw new MillraceError('rejected', `${subject}: ${op} is for text, and this is ${column.type}`);
}
