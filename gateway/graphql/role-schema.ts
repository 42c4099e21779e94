import { GraphQLInt, GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, printSchema, type GraphQLFieldConfig } from 'graphql';
import type { Catalog } from '../catalog.ts';
import { viewOf, type View } from '../view.ts';
import { mostGroups } from '../groups.ts';
import { makeAggregateType, type AggregateType } from './aggregate-type.ts';
import { listOf } from './connection-type.ts';
import { createNames, typeName } from './names.ts';
import { filterArgument, makeRowType, pageArguments, type RowType, type TypeMaker } from './row-type.ts';
import { ownTypeNames, scalarOf } from './scalars.ts';

/** What a field of `Query` stands for. */
type RootField =
  | { readonly kind: 'page'; readonly rows: RowType }
  /** `key`: argument to column. */
  | { readonly kind: 'byKey'; readonly rows: RowType; readonly key: ReadonlyMap<string, string> }
  | { readonly kind: 'aggregate'; readonly groups: AggregateType };

/** What a role may ask in GraphQL. */
export interface RoleSchema {
  readonly schema: GraphQLSchema;
  readonly roots: ReadonlyMap<string, RootField>;
}

const kept = new WeakMap<Catalog, { generation: number; schemas: Map<string, RoleSchema> }>();

/** The schema of a role, made once for each generation of the catalog; undefined when no API is there for the role. */
export function roleSchema(catalog: Catalog, role: string | undefined): RoleSchema | undefined {
  if (role === undefined) return undefined;
  let now = kept.get(catalog);
  if (now?.generation !== catalog.generation) {
    now = { generation: catalog.generation, schemas: new Map() };
    kept.set(catalog, now);
  }
  const found = now.schemas.get(role) ?? makeSchema(catalog, role);
  if (found !== undefined) now.schemas.set(role, found);
  return found;
}

/** The schema of a role in GraphQL's schema language; undefined when no API is there for the role. */
export function graphqlSchemaOf(catalog: Catalog, role: string): string | undefined {
  const found = roleSchema(catalog, role);
  return found === undefined ? undefined : `${printSchema(found.schema)}\n`;
}

function makeSchema(catalog: Catalog, role: string): RoleSchema | undefined {
  const views = catalog.apis.flatMap(({ definition }) => viewOf(catalog, definition.name, role) ?? []);
  if (views.length === 0) return undefined;
  const names = createNames(ownTypeNames);
  const baseNames = new Map(views.map((view) => [view.name, names.give(typeName(view.name))]));
  const types = new Map<string, RowType>();
  const maker: TypeMaker = {
    names,
    rowType(view: View) {
      const found = types.get(view.name);
      if (found !== undefined) return found;
      const type = makeRowType(maker, view, baseNames.get(view.name) ?? names.give(typeName(view.name)));
      types.set(view.name, type);
      return type;
    },
  };
  const fieldNames = createNames([]);
  const fields = new Map(views.map((view) => [view.name, fieldNames.give(view.name)]));
  const roots = new Map<string, RootField>();
  const config: Record<string, GraphQLFieldConfig<unknown, unknown>> = {};
  const add = (name: string, root: RootField, field: GraphQLFieldConfig<unknown, unknown>): void => {
    roots.set(name, root);
    config[name] = field;
  };
  for (const view of views) {
    const rows = maker.rowType(view);
    const field = fields.get(view.name)!;
    const key = new Map([...rows.columns].filter(([, column]) => view.key.includes(column)));
    const groups = makeAggregateType(names, rows, baseNames.get(view.name)!);
    add(field, { kind: 'page', rows }, pageField(rows));
    add(fieldNames.give(`${field}ByKey`), { kind: 'byKey', rows, key }, keyField(rows, key));
    add(fieldNames.give(`${field}Aggregate`), { kind: 'aggregate', groups }, aggregateField(groups));
  }
  return { schema: new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields: config }) }), roots };
}

const pageField = (rows: RowType): GraphQLFieldConfig<unknown, unknown> => ({
  type: new GraphQLNonNull(rows.connection!),
  args: pageArguments(rows),
  description: rows.view.description,
});

const keyField = (rows: RowType, key: ReadonlyMap<string, string>): GraphQLFieldConfig<unknown, unknown> => ({
  type: rows.object,
  args: Object.fromEntries(
    [...key].map(([argument, column]) => [argument, { type: new GraphQLNonNull(scalarOf(rows.view.columns.get(column)!.column.json)) }]),
  ),
  description: 'The row with this key; null where there is none.',
});

function aggregateField(groups: AggregateType): GraphQLFieldConfig<unknown, unknown> {
  const { limit } = groups.rows.view;
  return {
    type: listOf(groups.object),
    args: {
      ...filterArgument(groups.rows),
      ...(groups.groupBy === undefined ? {} : { groupBy: { type: new GraphQLList(new GraphQLNonNull(groups.groupBy)) } }),
      first: {
        type: GraphQLInt,
        description: `The first groups, in the order of \`groupBy\`. At most ${limit.max}. Without it all groups; more than ${mostGroups} are refused.`,
      },
    },
    description: 'Rows counted and measured, in groups; without `groupBy`, all as one.',
  };
}
