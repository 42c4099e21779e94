import type { AggregateMember, DatasetAggregate, MeasureFunction } from '../../../schema/dataset.ts';
import { datasetSql } from './dataset-sql.ts';
import { filterSql, type Columns } from './filter-sql.ts';
import { arrayOf, objectOf, type Member } from './object-sql.ts';
import { whereSql, wholeNumber } from './rows-sql.ts';
import { filterColumns } from './columns-used.ts';
import type { Statement } from './statement.ts';
import { baseOf } from './types.ts';
import { jsonValue } from './value-sql.ts';

type Measure = Extract<AggregateMember, { kind: 'measure' }>;

/** SQL for the array of the groups' objects, as a subquery. */
export function aggregateSql(statement: Statement, request: DatasetAggregate): string {
  const measures = measuresOf(request.members);
  const filtered = request.filter === undefined ? [] : filterColumns(request.filter);
  const dataset = datasetSql(statement, request, [...request.groupBy, ...measures.flatMap(({ column }) => column ?? []), ...filtered]);
  const alias = `_d${statement.number()}`;
  const columns = dataset.under(alias);
  const groups = request.groupBy.map((name) => columns.sql(name));
  const list = [
    ...groups.map((sql, at) => `${sql} AS g${at}`),
    ...measures.map((measure, at) => `${measureSql(measure, columns)} AS m${at}`),
  ].join(', ');
  const where = whereSql(request.filter === undefined ? [] : [filterSql(statement, request.filter, columns)]);
  const by = groups.length === 0 ? '' : ` GROUP BY ${groups.join(', ')} ORDER BY ${groups.join(', ')}`;
  const group = `_g${statement.number()}`;
  const rows = `(SELECT ${list} FROM ${dataset.name} AS ${alias}${where}${by} LIMIT ${wholeNumber(request.limit)})`;
  const member = (one: AggregateMember): Member => {
    switch (one.kind) {
      case 'constant':
        return [one.as, statement.bind(one.value, one.as, 'text')];
      case 'group':
        return [one.as, jsonValue(`${group}.g${request.groupBy.indexOf(one.column)}`, columns.column(one.column))];
      case 'measure':
        return [one.as, measureJson(`${group}.m${measures.indexOf(one)}`, one, columns)];
      case 'object':
        return [one.as, objectOf(one.members.map(member))];
    }
  };
  return arrayOf(request.members.map(member), `FROM ${rows} AS ${group}`);
}

const measuresOf = (members: readonly AggregateMember[]): readonly Measure[] =>
  members.flatMap((one) => (one.kind === 'measure' ? [one] : one.kind === 'object' ? measuresOf(one.members) : []));

const functions: Readonly<Record<MeasureFunction, string>> = { count: 'count', sum: 'sum', avg: 'avg', min: 'min', max: 'max' };

function measureSql({ function: name, column }: Measure, columns: Columns): string {
  return column === undefined ? 'count(*)' : `${functions[name]}(${columns.sql(column)})`;
}

function measureJson(value: string, { function: name, column: columnName }: Measure, columns: Columns): string {
  if (name === 'count' || columnName === undefined) return value;
  const column = columns.column(columnName);
  if (name === 'min' || name === 'max') return jsonValue(value, column);
  return ['real', 'double'].includes(baseOf(column.type)) ? value : `${value}::text`;
}
