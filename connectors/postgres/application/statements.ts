import type { OutgoingRow } from '../../application.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { Operation } from '../../../schema/sync.ts';
import { jsonText } from '../../../schema/value.ts';
import { quoteIdentifier, quoteTable } from '../sql.ts';
import { columnOf, type TargetColumn, type TargetTable } from './table.ts';

/** One statement of a batch, over rows that give the same fields. */
export interface Statement {
  readonly sql: string;
  /** Its only parameter: the rows as JSON. */
  readonly json: string;
  readonly rows: readonly OutgoingRow[];
  /** The numbers of the rows it found come back, as `no`; else all rows count as done. */
  readonly finds: boolean;
  /** How many rows it must touch; undefined: any number. */
  readonly touches: number | undefined;
}

interface Shape {
  readonly table: TargetTable;
  readonly match: readonly TargetColumn[];
  readonly fields: readonly TargetColumn[];
}

/** A value's column of the record that a row becomes. */
const matchName = (no: number): string => `m${no}`;
const fieldName = (no: number): string => `f${no}`;

/** Bytes travel as base64. */
const recordType = ({ base, declared }: TargetColumn): string => (base === 'bytea' ? 'text' : declared);
const valueOf = ({ base }: TargetColumn, name: string): string =>
  base === 'bytea' ? `pg_catalog.decode(r.${name}, 'base64')` : `r.${name}`;
const columnList = (columns: readonly TargetColumn[]): string => columns.map(({ name }) => quoteIdentifier(name)).join(', ');

function records({ match, fields }: Shape): string {
  const columns = [
    ...match.map((column, no) => `${matchName(no)} ${recordType(column)}`),
    ...fields.map((column, no) => `${fieldName(no)} ${recordType(column)}`),
  ];
  return `pg_catalog.json_to_recordset($1::json) AS r(no integer, ${columns.join(', ')})`;
}

const sameMatch = ({ match }: Shape): string =>
  match.map((column, no) => `t.${quoteIdentifier(column.name)} = ${valueOf(column, matchName(no))}`).join(' AND ');

function insert(shape: Shape, onConflict: string): string {
  const { table, match, fields } = shape;
  const values = [
    ...match.map((column, no) => valueOf(column, matchName(no))),
    ...fields.map((column, no) => valueOf(column, fieldName(no))),
  ];
  return `INSERT INTO ${quoteTable(table)} (${columnList([...match, ...fields])}) SELECT ${values.join(', ')} FROM ${records(shape)} ON CONFLICT (${columnList(match)}) ${onConflict}`;
}

function upsert(shape: Shape): string {
  const sets = shape.fields.map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`);
  return insert(shape, sets.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${sets.join(', ')}`);
}

function update(shape: Shape): string {
  const { table, fields } = shape;
  const sets = fields.map((column, no) => `${quoteIdentifier(column.name)} = ${valueOf(column, fieldName(no))}`);
  if (sets.length === 0) return `SELECT r.no FROM ${quoteTable(table)} AS t, ${records(shape)} WHERE ${sameMatch(shape)}`;
  return `UPDATE ${quoteTable(table)} AS t SET ${sets.join(', ')} FROM ${records(shape)} WHERE ${sameMatch(shape)} RETURNING r.no`;
}

const remove = (shape: Shape): string => `DELETE FROM ${quoteTable(shape.table)} AS t USING ${records(shape)} WHERE ${sameMatch(shape)}`;

const builders: Readonly<Partial<Record<Operation, (shape: Shape) => string>>> = {
  create: (shape) => insert(shape, 'DO NOTHING'),
  update,
  upsert,
  delete: remove,
};

/** Statements that do an operation to rows, one for each set of fields that some of them give. */
export function statementsOf(
  table: TargetTable,
  match: readonly string[],
  operation: Operation,
  rows: readonly OutgoingRow[],
): readonly Statement[] {
  const build = builders[operation];
  if (build === undefined)
    throw new MillraceError('config', `a table has no operation ${operation}; it has ${Object.keys(builders).join(', ')}`);
  const matchColumns = match.map((name) => columnOf(table, name));
  return [...bySetOfFields(operation, rows).values()].map((group) => {
    const names = operation === 'delete' ? [] : Object.keys(group[0]?.fields ?? {}).toSorted();
    const fields = names.filter((name) => !match.includes(name)).map((name) => columnOf(table, name));
    return {
      sql: build({ table, match: matchColumns, fields }),
      json: jsonText(group.map((row, no) => recordOf(row, no, match, fields))),
      rows: group,
      finds: operation === 'update',
      touches: operation === 'upsert' && fields.length > 0 ? group.length : undefined,
    };
  });
}

function bySetOfFields(operation: Operation, rows: readonly OutgoingRow[]): ReadonlyMap<string, readonly OutgoingRow[]> {
  const groups = new Map<string, OutgoingRow[]>();
  for (const row of rows) {
    const names = operation === 'delete' ? '' : JSON.stringify(Object.keys(row.fields).toSorted());
    const group = groups.get(names);
    if (group === undefined) groups.set(names, [row]);
    else group.push(row);
  }
  return groups;
}

function recordOf(row: OutgoingRow, no: number, match: readonly string[], fields: readonly TargetColumn[]): Record<string, unknown> {
  return Object.fromEntries([
    ['no', no],
    ...match.map((name, place) => [matchName(place), row.match[name] ?? null]),
    ...fields.map(({ name }, place) => [fieldName(place), row.fields[name] ?? null]),
  ]);
}
