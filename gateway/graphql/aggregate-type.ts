import {
  GraphQLInt,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLEnumType,
  type GraphQLFieldConfig,
  type GraphQLOutputType,
} from 'graphql';
import type { DatasetColumn, MeasureFunction } from '../../schema/dataset.ts';
import { isUsable } from '../read.ts';
import { isOrdered } from '../values.ts';
import type { Names } from './names.ts';
import type { RowType } from './row-type.ts';
import { enumOf, scalarOf } from './scalars.ts';

/** Groups of an API's rows as types of GraphQL. */
export interface AggregateType {
  readonly rows: RowType;
  readonly object: GraphQLObjectType;
  /** Its values are names of columns; undefined where there is nothing to group by. */
  readonly groupBy: GraphQLEnumType | undefined;
  /** Field to column: of `group`, and of each measure. */
  readonly group: ReadonlyMap<string, string>;
  readonly measures: ReadonlyMap<MeasureFunction, ReadonlyMap<string, string>>;
}

const isSummed = ({ json, array }: DatasetColumn): boolean =>
  !array && (json === 'integer' || json === 'bigint' || json === 'decimal' || json === 'number');
const isCompared = (column: DatasetColumn): boolean =>
  isOrdered(column) && column.json !== 'boolean' && column.json !== 'uuid' && column.json !== 'bytes';

const functions: readonly { readonly name: MeasureFunction; readonly takes: (column: DatasetColumn) => boolean; readonly words: string }[] =
  [
    { name: 'sum', takes: isSummed, words: 'Sums; null where no row has a value.' },
    { name: 'avg', takes: isSummed, words: 'Means; null where no row has a value.' },
    { name: 'min', takes: isCompared, words: 'Least values; null where no row has a value.' },
    { name: 'max', takes: isCompared, words: 'Greatest values; null where no row has a value.' },
  ];

/** Makes the types of an API's groups; `base` is the name of its rows' type. */
export function makeAggregateType(names: Names, rows: RowType, base: string): AggregateType {
  const usable = [...rows.columns].filter(([, column]) => isUsable(rows.view, column));
  const columnOf = (name: string): DatasetColumn => rows.view.columns.get(name)!.column;
  const group = new Map(usable.filter(([, column]) => isOrdered(columnOf(column))));
  const measures = new Map(
    functions.map(({ name, takes }) => [name, new Map(usable.filter(([, column]) => takes(columnOf(column))))] as const),
  );
  const part = (suffix: string, fields: ReadonlyMap<string, string>, typeOf: (column: DatasetColumn) => GraphQLOutputType) =>
    new GraphQLObjectType({
      name: names.give(`${base}${suffix}`),
      fields: Object.fromEntries([...fields].map(([field, column]) => [field, { type: typeOf(columnOf(column)) }])),
    });
  const fields: Record<string, GraphQLFieldConfig<unknown, unknown>> = {
    count: { type: new GraphQLNonNull(GraphQLInt), description: 'Rows of the group.' },
  };
  if (group.size > 0)
    fields['group'] = {
      type: new GraphQLNonNull(part('Group', group, ({ json }) => scalarOf(json))),
      description: 'What the rows have in common: columns of `groupBy`.',
    };
  for (const { name, words } of functions) {
    const columns = measures.get(name)!;
    if (columns.size === 0) continue;
    const type = part(suffixes[name], columns, name === 'sum' || name === 'avg' ? summed : ({ json }) => scalarOf(json));
    fields[name] = { type: new GraphQLNonNull(type), description: words };
  }
  const values = new Map([...group].map(([field, column]) => [field, column]));
  return {
    rows,
    object: new GraphQLObjectType({ name: names.give(`${base}Aggregate`), description: 'Rows that have something in common.', fields }),
    groupBy: values.size === 0 ? undefined : enumOf(names.give(`${base}Column`), 'Columns to group by.', values),
    group,
    measures,
  };
}

const suffixes: Readonly<Record<MeasureFunction, string>> = { count: 'Count', sum: 'Sum', avg: 'Average', min: 'Minimum', max: 'Maximum' };

const summed = ({ json }: DatasetColumn): GraphQLOutputType => scalarOf(json === 'number' ? 'number' : 'decimal');
