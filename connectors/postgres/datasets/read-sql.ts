import { MillraceError } from '../../../schema/errors.ts';
import { everyRow, type DatasetRead, type OutputField, type ReadShape } from '../../../schema/dataset.ts';
import { usedColumns } from './columns-used.ts';
import { datasetSql } from './dataset-sql.ts';
import { csvLine } from './csv-sql.ts';
import { filterSql, type Columns } from './filter-sql.ts';
import { afterSql, orderSql } from './keyset-sql.ts';
import { arrayOf, objectOf, objectsOf, type Member } from './object-sql.ts';
import { pageSql } from './page-sql.ts';
import { numbered, rowsSql, whereSql, wholeNumber, type ReadSql } from './rows-sql.ts';
import type { Statement } from './statement.ts';
import { comparedAs, familyOf } from './types.ts';
import { jsonValue, masked } from './value-sql.ts';

/** The row whose relation a read is, and what of both is equal. */
export interface Parent {
  readonly columns: Columns;
  readonly on: readonly (readonly [own: string, other: string])[];
}

/** SQL for the JSON of a read, as a subquery in parentheses. */
export function readSql(statement: Statement, read: DatasetRead, parent?: Parent): string {
  const context = begin(statement, read, parent);
  const { shape } = read;
  if (shape.kind === 'keyed') return keyedSql(statement, context, shape);
  if (shape.kind === 'object') return pageSql(statement, context, shape.members);
  const page = `_p${statement.number()}`;
  const rows = rowsSql(statement, context, shape.kind === 'one' ? 1 : read.limit);
  const fields = context.members(read.fields, context.dataset.under(page));
  if (shape.kind === 'one') return objectOf(fields, `FROM ${rows} AS ${page}`);
  const from = read.backward === true ? `FROM ${numbered(rows)} AS ${page} ORDER BY ${page}.n DESC` : `FROM ${rows} AS ${page}`;
  return arrayOf(fields, from);
}

/** SQL for all rows of a read in their order, a text for each: its JSON object, or its line of CSV. */
export function linesSql(statement: Statement, read: DatasetRead, format: 'ndjson' | 'csv'): string {
  const { dataset, alias, conditions, members } = begin(statement, read);
  const columns = dataset.under(alias);
  const after = read.from === undefined ? [] : [afterSql(statement, read.sort, read.from, columns, false)];
  const limit = read.limit === everyRow ? '' : ` LIMIT ${wholeNumber(read.limit)}`;
  const from = `FROM ${dataset.name} AS ${alias}${whereSql([...conditions, ...after])} ${orderSql(read.sort, columns, false)}${limit}`;
  if (format === 'csv') return `SELECT ${csvLine(statement, read.fields, columns, (field) => member(statement, field, columns))} ${from}`;
  const { list, json } = objectsOf(members(read.fields, columns));
  // Line breaks are nowhere in JSON but between its values.
  return `SELECT translate(${json}::text, E'\\n\\r', '  ') FROM (SELECT ${list} ${from}) AS o`;
}

/** An array with the row of each key, or null, in the order of the keys: each is found by itself, as an index finds it. */
function keyedSql(statement: Statement, context: ReadSql, shape: Extract<ReadShape, { kind: 'keyed' }>): string {
  const { read, dataset, alias, members } = context;
  const columns = dataset.under(alias);
  const keys = `_k${statement.number()}`;
  const names = shape.columns.map((_, at) => `k${at}`);
  const lists = shape.columns.map((name, at) => {
    const values = shape.keys.map((key) => key[at] ?? null);
    return statement.bind(values, `column ${JSON.stringify(name)}`, `${comparedAs(columns.column(name))}[]`);
  });
  const conditions = [...context.conditions, ...shape.columns.map((name, at) => `${columns.sql(name)} = ${keys}.k${at}`)];
  const page = `_p${statement.number()}`;
  const row = objectOf(members(read.fields, dataset.under(page)), `FROM ${rowsSql(statement, { ...context, conditions }, 1)} AS ${page}`);
  const from = `unnest(${lists.join(', ')}) WITH ORDINALITY AS ${keys} (${[...names, 'n'].join(', ')})`;
  return `(SELECT coalesce(json_agg(${row} ORDER BY ${keys}.n), '[]'::json) FROM ${from})`;
}

function begin(statement: Statement, read: DatasetRead, parent?: Parent): ReadSql {
  const dataset = datasetSql(statement, read, usedColumns(read, parent?.on ?? []));
  const alias = `_d${statement.number()}`;
  const columns = dataset.under(alias);
  const conditions = [
    ...(parent === undefined ? [] : parent.on.map((pair) => equalSql(pair, columns, parent.columns))),
    ...(read.filter === undefined ? [] : [filterSql(statement, read.filter, columns)]),
  ];
  const members = (fields: readonly OutputField[], of: Columns): readonly Member[] => fields.map((field) => member(statement, field, of));
  return { read, dataset, alias, conditions, nested: parent !== undefined, members };
}

function member(statement: Statement, field: OutputField, columns: Columns): Member {
  if (field.kind === 'constant') return [field.as, statement.bind(field.value, field.as, 'text')];
  if (field.kind === 'relation') return [field.as, readSql(statement, field.read, { columns, on: field.on })];
  const value = columns.sql(field.column);
  return [field.as, field.mask === undefined ? jsonValue(value, columns.column(field.column)) : masked(statement, value, field.mask)];
}

function equalSql([own, other]: readonly [string, string], inner: Columns, outer: Columns): string {
  const ours = outer.column(own);
  const theirs = inner.column(other);
  if (familyOf(ours) === familyOf(theirs)) return `${inner.sql(other)} = ${outer.sql(own)}`;
  throw new MillraceError('config', `a relation is on columns that can't be equal: ${own} is ${ours.type}, ${other} is ${theirs.type}`);
}
