import type { DatasetRead, OutputField } from '../../../schema/dataset.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { DatasetSql } from './dataset-sql.ts';
import type { Columns } from './filter-sql.ts';
import { afterSql, orderSql } from './keyset-sql.ts';
import type { Member } from './object-sql.ts';
import type { Statement } from './statement.ts';

/** A read while its SQL is written. */
export interface ReadSql {
  readonly read: DatasetRead;
  readonly dataset: DatasetSql;
  /** What the dataset is called in the read's own query. */
  readonly alias: string;
  /** Conditions that hold on every page: the filter, and what ties it to its parent. */
  readonly conditions: readonly string[];
  /** Is in a relation: its SQL runs once for each row of the parent. */
  readonly nested: boolean;
  /** Members of a row's object. */
  readonly members: (fields: readonly OutputField[], columns: Columns) => readonly Member[];
}

/** The page's rows in order, as a subquery: only they are shown, whatever it costs to show a row. */
export function rowsSql(statement: Statement, { read, dataset, alias, conditions }: ReadSql, limit: number): string {
  const columns = dataset.under(alias);
  const backward = read.backward === true;
  const after = read.from === undefined ? [] : [afterSql(statement, read.sort, read.from, columns, backward)];
  const where = whereSql([...conditions, ...after]);
  return `(SELECT * FROM ${dataset.name} AS ${alias}${where} ${orderSql(read.sort, columns, backward)} LIMIT ${wholeNumber(limit)})`;
}

/** WHERE of conditions that all hold. */
export const whereSql = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : ` WHERE ${conditions.map((one) => `(${one})`).join(' AND ')}`;

/** Rows with their number `n`, from one. */
export const numbered = (rows: string): string => `(SELECT row_number() OVER () AS n, _r.* FROM ${rows} AS _r)`;

/** A limit as SQL: part of the statement's shape, so that it is planned for it. */
export function wholeNumber(limit: number): string {
  if (Number.isSafeInteger(limit) && limit >= 0) return String(limit);
  throw new MillraceError('rejected', 'the limit of a read is not a whole number');
}
