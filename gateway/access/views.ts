import type { Caller } from '../caller.ts';
import type { Catalog } from '../catalog.ts';
import { notFound } from '../problem.ts';
import { viewOf, type View } from '../view.ts';
import { hasScope, requireScope } from './scopes.ts';

interface Kept {
  readonly generation: number;
  readonly views: Map<string, View | undefined>;
}

const kept = new WeakMap<Catalog, Kept>();

/** The same view object for a role as long as no shape changes; undefined as `viewOf` says. Only for names of APIs and roles that there are. */
function keptView(catalog: Catalog, name: string, role: string): View | undefined {
  if (catalog.api(name) === undefined) return undefined;
  let views = kept.get(catalog);
  if (views?.generation !== catalog.generation) kept.set(catalog, (views = { generation: catalog.generation, views: new Map() }));
  const key = `${role} ${name}`;
  if (!views.views.has(key)) views.views.set(key, viewOf(catalog, name, role));
  return views.views.get(key);
}

/** What the caller sees of an API. Throws 403 naming the scope that is missing, and 404 for an API that isn't there or is hidden from the role. */
export function viewFor({ catalog }: { readonly catalog: Catalog }, name: string, caller: Caller): View {
  requireScope(caller, `api:${name}`);
  const view = caller.role === undefined ? undefined : keptView(catalog, name, caller.role);
  if (view === undefined) throw notFound('API of that name');
  return view;
}

/** What the caller sees of all APIs, by the project file's order: for documents and schemas. */
export function viewsFor({ catalog }: { readonly catalog: Catalog }, caller: Caller): readonly View[] {
  const { role } = caller;
  if (role === undefined) return [];
  return catalog.apis
    .filter(({ definition: { name } }) => hasScope(caller, `api:${name}`))
    .flatMap(({ definition: { name } }) => keptView(catalog, name, role) ?? []);
}
