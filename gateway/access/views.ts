import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import type { Caller } from '../caller.ts';
import type { Catalog } from '../catalog.ts';
import { notFound, Problem } from '../problem.ts';
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

interface Seen {
  readonly catalog: Catalog;
  readonly definition: Pick<GatewayDefinition, 'apis'>;
}

/** The reason is for the log: it may name what the role doesn't see. */
function unpublished({ definition }: Seen, name: string, role: string | undefined): Problem {
  const api = definition.apis.find((one) => one.name === name);
  if (api === undefined || role === undefined || !Object.hasOwn(api.roles, role)) return notFound('API of that name');
  const dataset = role === 'anonymous' ? 'its dataset' : `its dataset ${api.dataset}`;
  return new Problem(
    404,
    'Not published yet',
    `The API ${name} is not published yet: ${dataset} is not in the warehouse as it should be. It appears within seconds of its first load; the gateway's log and millrace check say what is missing.`,
  );
}

/**
 * What the caller sees of an API. Throws 403 naming the scope that is missing, and 404 for an API that isn't there or is hidden from the role,
 * which can't be told apart; one that the role may see and that isn't published says so.
 */
export function viewFor(seen: Seen, name: string, caller: Caller): View {
  requireScope(caller, `api:${name}`);
  const view = caller.role === undefined ? undefined : keptView(seen.catalog, name, caller.role);
  if (view === undefined) throw unpublished(seen, name, caller.role);
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
