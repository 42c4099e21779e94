import type { Change } from '../../connectors/gateway-books.ts';
import { hasSomeApi } from '../access/scopes.ts';
import { viewsFor } from '../access/views.ts';
import type { Caller } from '../caller.ts';
import type { GatewayContext } from '../context.ts';
import { badRequest, notFound, Problem } from '../problem.ts';
import type { View } from '../view.ts';

/** What a caller is told of a commit. */
export interface SeenChange {
  /** Names of the APIs whose rows may be others now. */
  readonly apis: readonly string[];
  /** Rows of the commit; null where the role sees no API of that very table without a rule: their number would tell of rows it doesn't see. */
  readonly rows: number | null;
}

/** The APIs that a caller may follow. A token with scopes of APIs hears of those alone, one with `changes` only of all that its role sees. */
const followed = (context: Pick<GatewayContext, 'catalog'>, caller: Caller): readonly View[] =>
  viewsFor(context, hasSomeApi(caller) ? caller : { ...caller, scopes: ['api'] });

/** What a caller sees of changes. Throws 404 for a name that isn't there for him, 400 for one of another warehouse than that of the books, 403 when there is nothing that he may follow. */
export function seenBy(
  context: Pick<GatewayContext, 'catalog' | 'definition'>,
  caller: Caller,
  names: readonly string[] | undefined,
): (change: Change) => SeenChange | undefined {
  const { catalog, definition } = context;
  const views = followed(context, caller);
  const books = definition.warehouses[0]?.name;
  for (const name of names ?? []) {
    const view = views.find((one) => one.name === name);
    if (view === undefined) throw notFound(`API "${name}"`);
    if (view.warehouse !== books)
      throw badRequest([{ at: 'api', message: `names "${name}", which is in a warehouse whose commits are not told` }]);
  }
  if (views.length === 0) throw new Problem(403, 'Nothing to follow', 'The role of the token sees no API.');
  const read = (): readonly View[] =>
    followed(context, caller).filter((view) => view.warehouse === books && (names === undefined || names.includes(view.name)));
  let generation = catalog.generation;
  let seen = read();
  return ({ dataset, rows }) => {
    if (catalog.generation !== generation) {
      generation = catalog.generation;
      seen = read();
    }
    const touched = seen.filter((view) => readsOf(view).includes(dataset) || view.reads.length === 0);
    if (touched.length === 0) return undefined;
    return { apis: touched.map(({ name }) => name), rows: touched.some((view) => seesAll(view, dataset)) ? rows : null };
  };
}

const seesAll = ({ source, rows }: View, dataset: string): boolean =>
  rows === undefined && source.kind === 'table' && `${source.schema}.${source.table}` === dataset;

const readsOf = ({ source, reads }: View): readonly string[] =>
  source.kind === 'table' ? [...reads, `${source.schema}.${source.table}`] : reads;
