import type { DatasetRead, DatasetRequest, RootMember } from '../../../schema/dataset.ts';
import { aggregateSql } from './aggregate-sql.ts';
import { datasetSql } from './dataset-sql.ts';
import { filterSql } from './filter-sql.ts';
import { objectOf, type Member } from './object-sql.ts';
import { linesSql, readSql } from './read-sql.ts';
import { filterColumns } from './columns-used.ts';
import { whereSql } from './rows-sql.ts';
import { newStatement, type CompiledStatement, type Statement } from './statement.ts';

/** The one statement of a request: it gives one row of one column, the JSON. */
export function compile(request: DatasetRequest, maskKey: string | undefined): CompiledStatement {
  const statement = newStatement(maskKey);
  const sql = requestSql(statement, request);
  return statement.complete(`SELECT coalesce(${sql}, 'null'::json)`);
}

function requestSql(statement: Statement, request: DatasetRequest): string {
  switch (request.kind) {
    case 'read':
      return readSql(statement, request);
    case 'aggregate':
      return aggregateSql(statement, request);
    case 'object':
      return objectOf(request.members.map((one): Member => [one.as, rootMember(statement, one)]));
  }
}

function rootMember(statement: Statement, one: RootMember): string {
  return one.kind === 'constant' ? statement.bind(one.value, one.as, 'text') : requestSql(statement, one.request);
}

/** The statement that explains how many rows a read matches. */
export function compileEstimate(read: DatasetRead): CompiledStatement {
  const statement = newStatement(undefined);
  const dataset = datasetSql(
    statement,
    read,
    read.filter === undefined ? read.sort.map(({ column }) => column) : filterColumns(read.filter),
  );
  const where = whereSql(read.filter === undefined ? [] : [filterSql(statement, read.filter, dataset.under('d'))]);
  const compiled = statement.complete(`SELECT FROM ${dataset.name} AS d${where}`);
  return { ...compiled, text: `EXPLAIN (FORMAT JSON) ${compiled.text}` };
}

/** Reads of a request whose matches are to be estimated, in the order of their parameters. */
export function estimatedReads(request: DatasetRequest): readonly DatasetRead[] {
  if (request.kind === 'aggregate') return [];
  if (request.kind === 'object') return request.members.flatMap((one) => (one.kind === 'member' ? estimatedReads(one.request) : []));
  const { shape } = request;
  if (shape.kind !== 'object') return [];
  return shape.members.filter((one) => one.kind === 'count' && !one.exact).map(() => request);
}

/** The statement of all rows of a read, whatever its limit: a line of text for each. */
export function compileExport(read: DatasetRead, format: 'ndjson' | 'csv', maskKey: string | undefined): CompiledStatement {
  const statement = newStatement(maskKey);
  return statement.complete(linesSql(statement, read, format));
}
