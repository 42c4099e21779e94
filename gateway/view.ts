import type { DatasetColumn, DatasetShape, DatasetSource, Mask, RowRule } from '../schema/dataset.ts';
import type { ApiDefinition, RelationDefinition, RoleDefinition } from '../schema/gateway-definition.ts';
import type { Caller } from './caller.ts';
import { shapeOfRelation, type Catalog, type PublishedApi } from './catalog.ts';
import { wantsList, wantsOne } from './list-claims.ts';
import { Problem } from './problem.ts';

/** A column as a role sees it; a masked one is shown and nothing else. */
export interface ViewColumn {
  readonly column: DatasetColumn;
  readonly mask?: Mask;
}

export interface ViewRelation {
  readonly definition: RelationDefinition;
  /** What the role sees of the other dataset. */
  readonly view: () => View;
}

/** What a role sees of a dataset: everything that a request may name. The same for all callers of the role. */
export interface View {
  /** The API's name; of a dataset without one, the API's and the relation's. */
  readonly name: string;
  readonly warehouse: string;
  readonly source: DatasetSource;
  readonly key: readonly string[];
  readonly columns: ReadonlyMap<string, ViewColumn>;
  readonly relations: ReadonlyMap<string, ViewRelation>;
  /** Columns by which relations lead from and to it, whether the role sees them or not: no request can name them. */
  readonly ties: readonly DatasetColumn[];
  /** As written in the project file. */
  readonly rows: string | undefined;
  readonly limit: { readonly default: number; readonly max: number };
  /** Tables that it reads. */
  readonly reads: readonly string[];
  readonly description: string | undefined;
}

/** What a role sees of an API; undefined when the role has no part in it, which callers must not tell from an API that isn't there. */
export function viewOf(catalog: Catalog, name: string, role: string | undefined): View | undefined {
  const api = catalog.api(name);
  if (api === undefined || role === undefined || !Object.hasOwn(api.definition.roles, role)) return undefined;
  const granted = api.definition.roles[role];
  return granted === undefined ? undefined : viewOfApi(catalog, api, granted, role);
}

/** What Millrace adds to each row that it loads: shown to a role that names it. */
const ownColumns: ReadonlySet<string> = new Set(['_load_id', '_loaded_at']);

const isNamed = (fields: 'all' | readonly string[], name: string): boolean =>
  fields === 'all' ? !ownColumns.has(name) : fields.includes(name);

function viewOfApi(catalog: Catalog, api: PublishedApi, granted: RoleDefinition, role: string): View {
  const { definition, shape } = api;
  const sees = (name: string): boolean => isNamed(granted.fields, name) || definition.key.includes(name);
  return {
    name: definition.name,
    warehouse: definition.warehouse,
    source: definition.source,
    key: definition.key,
    columns: new Map(
      shape.columns.filter(({ name }) => sees(name)).map((column) => [column.name, viewColumn(column, maskOf(granted, column.name))]),
    ),
    relations: new Map(
      Object.entries(definition.relations)
        .filter(([name]) => sees(name))
        .flatMap(([name, relation]): [string, ViewRelation][] => {
          const view = relationView(catalog, api, name, relation, role);
          return view === undefined ? [] : [[name, { definition: relation, view }]];
        }),
    ),
    ties: columnsNamed(shape.columns, tiesOf(catalog, definition)),
    rows: granted.rows,
    limit: definition.limit,
    reads: shape.reads,
    description: definition.description,
  };
}

/** Names of the columns on which relations of an API are, and those of others that lead to it. */
function tiesOf({ apis }: Catalog, { name, relations }: ApiDefinition): ReadonlySet<string> {
  const own = Object.values(relations).flatMap(({ on }) => on.map(([column]) => column));
  const others = apis.flatMap(({ definition }) => Object.values(definition.relations)).filter(({ api }) => api === name);
  return new Set([...own, ...others.flatMap(({ on }) => on.map(([, column]) => column))]);
}

const maskOf = ({ mask }: RoleDefinition, name: string): Mask | undefined => (Object.hasOwn(mask, name) ? mask[name] : undefined);

const columnsNamed = (columns: readonly DatasetColumn[], names: ReadonlySet<string>): readonly DatasetColumn[] =>
  columns.filter(({ name }) => names.has(name));

const isTied = ({ on }: RelationDefinition, { columns }: DatasetShape): boolean =>
  on.every(([, its]) => columns.some(({ name }) => name === its));

/** Whether the role sees one of the relation's columns masked, here or there: the other's clear value would tell it. */
function isMaskedTie(catalog: Catalog, { definition }: PublishedApi, { api, on }: RelationDefinition, role: string): boolean {
  const isMasked = (roles: ApiDefinition['roles'] | undefined, column: string): boolean => {
    const granted = roles !== undefined && Object.hasOwn(roles, role) ? roles[role] : undefined;
    return granted !== undefined && maskOf(granted, column) !== undefined;
  };
  const others = api === undefined ? undefined : catalog.api(api)?.definition.roles;
  return on.some(([own, its]) => isMasked(definition.roles, own) || isMasked(others, its));
}

function relationView(
  catalog: Catalog,
  api: PublishedApi,
  name: string,
  relation: RelationDefinition,
  role: string,
): (() => View) | undefined {
  const { definition } = api;
  const shape = shapeOfRelation(api, name, relation, catalog);
  if (shape === undefined || !isTied(relation, shape) || isMaskedTie(catalog, api, relation, role)) return undefined;
  if (relation.api !== undefined) {
    const other = relation.api;
    if (!Object.hasOwn(catalog.api(other)?.definition.roles ?? {}, role)) return undefined;
    return () => {
      const view = viewOf(catalog, other, role);
      if (view === undefined)
        throw new Problem(503, 'Changed', 'What is published changes just now; try again.', { headers: { 'retry-after': '1' } });
      return view;
    };
  }
  const { fields } = relation;
  const columns = shape.columns.filter((column) => isNamed(fields, column.name));
  const view: View = {
    name: `${definition.name}.${name}`,
    warehouse: definition.warehouse,
    source: relation.source,
    key: [],
    columns: new Map(columns.map((column) => [column.name, viewColumn(column, undefined)])),
    relations: new Map(),
    ties: columnsNamed(shape.columns, new Set(relation.on.map(([, column]) => column))),
    rows: undefined,
    limit: definition.limit,
    reads: shape.reads,
    description: undefined,
  };
  return () => view;
}

function viewColumn(column: DatasetColumn, mask: Mask | undefined): ViewColumn {
  return mask === undefined ? { column } : { column, mask };
}

const claimReference = /\$\{claim:([^}]+)\}/g;

/** Names of the claims that a rule uses. */
export const claimsOf = (rows: string): readonly string[] => [...rows.matchAll(claimReference)].map(([, name = '']) => name);

/** The view's condition on rows for this caller. Throws 403 when the token lacks a claim that it needs, or has a list for it where one value is compared: nothing is shown then. */
export function rulesOf(view: View, caller: Pick<Caller, 'claims'>): readonly RowRule[] {
  if (view.rows === undefined) return [];
  const parts = view.rows.split(/\$\{claim:[^}]+\}/);
  const values = claimsOf(view.rows).map((name, at) => {
    const value = Object.hasOwn(caller.claims, name) ? caller.claims[name] : undefined;
    if (value === undefined || value === null)
      throw new Problem(403, 'Claim missing', `The token has no claim "${name}", which decides on the rows of ${view.name}.`);
    const before = parts[at] ?? '';
    if (!Array.isArray(value)) return wantsList(before) ? [value] : value;
    if (!wantsOne(before, parts[at + 1] ?? '')) return value;
    throw new Problem(
      403,
      'Claim is a list',
      `The claim "${name}" of the token is a list, and the rows of ${view.name} go by one value: give one, or have the rule say = ANY(\${claim:${name}}).`,
    );
  });
  return [{ parts, values }];
}
