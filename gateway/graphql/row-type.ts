import {
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
  type GraphQLEnumType,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLInputFieldConfig,
  type GraphQLOutputType,
} from 'graphql';
import { isUsable } from '../read.ts';
import { isOrdered } from '../values.ts';
import type { View, ViewColumn, ViewRelation } from '../view.ts';
import { connectionType, listOf } from './connection-type.ts';
import { createNames, reservedFields, type Names } from './names.ts';
import { conditionsOf, enumOf, scalarOf } from './scalars.ts';

/** A view as types of GraphQL, with what their names stand for. */
export interface RowType {
  readonly view: View;
  readonly object: GraphQLObjectType;
  /** Field to the column's name. */
  readonly columns: ReadonlyMap<string, string>;
  readonly relations: ReadonlyMap<string, RelationType>;
  /** Undefined where nothing can be filtered by. */
  readonly filter: GraphQLInputObjectType | undefined;
  /** Its values are `SortKey`s. */
  readonly sort: GraphQLEnumType | undefined;
  /** Of rows with a key. */
  readonly connection: GraphQLObjectType | undefined;
}

interface RelationType {
  readonly relation: ViewRelation;
  readonly target: RowType;
  /** An object, a list of a dataset without a key, or a connection. */
  readonly kind: 'one' | 'list' | 'connection';
}

/** What the types of one role are made with. */
export interface TypeMaker {
  readonly names: Names;
  /** The type of a view; one for each name of a view. */
  readonly rowType: (view: View) => RowType;
}

/** Makes the types of a view and, once their fields are asked for, of all that it leads to. `name` is the name of its rows' type. */
export function makeRowType(maker: TypeMaker, view: View, name: string): RowType {
  const names = createNames(reservedFields);
  const columns = new Map([...view.columns.keys()].map((column) => [names.give(column), column]));
  const relations = new Map<string, RelationType>();
  const fields = new Map([...view.relations.keys()].map((relation) => [relation, names.give(relation)]));
  const object: GraphQLObjectType = new GraphQLObjectType({
    name,
    description: view.description,
    fields: () => {
      for (const [key, relation] of view.relations) {
        const target = maker.rowType(relation.view());
        if (target.columns.size > 0) relations.set(fields.get(key)!, { relation, target, kind: kindOf(relation, target) });
      }
      return Object.fromEntries([
        ...[...columns].map(([field, column]): [string, GraphQLFieldConfig<unknown, unknown>] => [field, columnField(view, column)]),
        ...[...relations].map(([field, one]): [string, GraphQLFieldConfig<unknown, unknown>] => [field, relationField(one)]),
      ]);
    },
  });
  const usable = new Map([...columns].filter(([, column]) => isUsable(view, column)));
  return {
    view,
    object,
    columns,
    relations,
    filter: usable.size === 0 ? undefined : filterType(maker.names.give(`${name}Filter`), view, usable),
    sort: sortType(maker.names, name, view, usable),
    connection: view.key.length === 0 ? undefined : connectionType(maker.names, name, object),
  };
}

function kindOf({ definition }: ViewRelation, target: RowType): RelationType['kind'] {
  if (definition.one) return 'one';
  return target.connection === undefined ? 'list' : 'connection';
}

/** A masked value is text, whatever it was. */
function columnField(view: View, name: string): GraphQLFieldConfig<unknown, unknown> {
  const { column, mask }: ViewColumn = view.columns.get(name)!;
  const scalar = mask === undefined ? scalarOf(column.json) : GraphQLString;
  const type: GraphQLOutputType = column.array && mask === undefined ? new GraphQLList(scalar) : scalar;
  const isNever = view.key.includes(name) || (!column.nullable && mask !== 'null');
  return { type: isNever ? new GraphQLNonNull(type) : type, description: column.comment };
}

function relationField({ kind, target }: RelationType): GraphQLFieldConfig<unknown, unknown> {
  if (kind === 'one') return { type: target.object };
  if (kind === 'list') return { type: listOf(target.object), args: listArguments(target) };
  return { type: new GraphQLNonNull(target.connection!), args: pageArguments(target) };
}

/** `filter`, where something can be filtered by. */
export const filterArgument = ({ filter }: RowType): GraphQLFieldConfigArgumentMap =>
  filter === undefined ? {} : { filter: { type: filter } };

const sortArgument = ({ sort }: RowType): GraphQLFieldConfigArgumentMap =>
  sort === undefined ? {} : { sort: { type: new GraphQLList(new GraphQLNonNull(sort)) } };

const listArguments = (type: RowType): GraphQLFieldConfigArgumentMap => ({
  ...filterArgument(type),
  ...sortArgument(type),
  limit: { type: GraphQLInt, description: limitText(type) },
});

const limitText = ({ view: { limit } }: RowType): string => `At most ${limit.max}. Default: ${limit.default}.`;

/** Those of Relay, and `filter` and `sort`. */
export const pageArguments = (type: RowType): GraphQLFieldConfigArgumentMap => ({
  ...filterArgument(type),
  ...sortArgument(type),
  first: { type: GraphQLInt, description: `The first rows, after \`after\`. ${limitText(type)}` },
  after: { type: GraphQLString, description: 'A cursor of this field with the same `sort`.' },
  last: { type: GraphQLInt, description: `The last rows, before \`before\`. ${limitText(type)}` },
  before: { type: GraphQLString, description: 'A cursor of this field with the same `sort`.' },
});

function filterType(name: string, view: View, usable: ReadonlyMap<string, string>): GraphQLInputObjectType {
  const type: GraphQLInputObjectType = new GraphQLInputObjectType({
    name,
    description: 'Rows that meet all of these.',
    fields: () => ({
      ...Object.fromEntries(
        [...usable].map(([field, column]): [string, GraphQLInputFieldConfig] => [
          field,
          { type: conditionsOf(view.columns.get(column)!.column) },
        ]),
      ),
      and: { type: new GraphQLList(new GraphQLNonNull(type)), description: 'All of these.' },
      or: { type: new GraphQLList(new GraphQLNonNull(type)), description: 'At least one of these.' },
      not: { type, description: 'Not this.' },
    }),
  });
  return type;
}

function sortType(names: Names, name: string, view: View, usable: ReadonlyMap<string, string>): GraphQLEnumType | undefined {
  const sortable = [...usable].filter(([, column]) => isOrdered(view.columns.get(column)!.column));
  if (sortable.length === 0) return undefined;
  const values = sortable.flatMap(([field, column]): [string, unknown][] => [
    [`${field}_ASC`, { column, descending: false }],
    [`${field}_DESC`, { column, descending: true }],
  ]);
  return enumOf(names.give(`${name}Sort`), 'Rows with equal values are in the order of the key.', new Map(values));
}
