import type { Application, ApplicationContext, ApplicationRequest } from '../connectors/application.ts';
import type { Attempt } from '../connectors/connector.ts';
import type { SyncBooks, SyncPlanRequest } from '../connectors/sync-books.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { SyncRun } from '../schema/sync.ts';
import type { Dependencies } from './dependencies.ts';
import { operationsOf, possibleOperations } from './operations.ts';

/** A sync's books and application, open for one step. */
export interface OpenSync extends AsyncDisposable {
  readonly books: SyncBooks;
  readonly application: Application;
}

/** What a sync wants of its application. */
const requestOf = (sync: SyncDefinition, rows?: number): ApplicationRequest => ({
  object: sync.object,
  match: sync.match.map(({ field }) => field),
  fields: sync.map.map(({ field }) => field),
  operations: possibleOperations(sync),
  write: sync.write,
  ...(rows === undefined ? {} : { rows }),
});

/** Opens the application of a sync over the limits and tokens of its books. */
export function openApplicationOf(
  deps: Dependencies,
  sync: SyncDefinition,
  context: ApplicationContext,
  rows?: number,
): Promise<Application> {
  return deps.openApplication(sync.to, requestOf(sync, rows), context);
}

/** Closes what was opened, in order, all of it whatever happens. */
async function close(opened: readonly AsyncDisposable[]): Promise<void> {
  const [first, ...others] = opened;
  if (first === undefined) return;
  try {
    await first[Symbol.asyncDispose]();
  } finally {
    await close(others);
  }
}

/** Opens one thing over another, which is closed when that doesn't work. */
async function over<Under extends AsyncDisposable, Opened>(under: Under, open: (under: Under) => Promise<Opened>): Promise<Opened> {
  try {
    return await open(under);
  } catch (error) {
    await close([under]);
    throw error;
  }
}

/** Opens a sync; `rows` says about how many are to be sent, where that is known. */
export async function openSync(deps: Dependencies, sync: SyncDefinition, rows?: number): Promise<OpenSync> {
  return await over(await deps.openSyncBooks(sync.state), async (books) => {
    const application = await openApplicationOf(deps, sync, { limits: books.limits, tokens: books.tokens }, rows);
    return { books, application, [Symbol.asyncDispose]: () => close([application, books]) };
  });
}

/** Are the books in the same database as the model? */
const isTogether = ({ state, warehouse }: SyncDefinition): boolean => state.name === warehouse.name;

/** What a plan of the sync is made from; the model's rows are open where they are in another database than the books. */
export async function openedPlan(
  deps: Dependencies,
  { application }: OpenSync,
  { sync, options }: SyncRun,
  attempt: Attempt,
): Promise<{ readonly request: Omit<SyncPlanRequest, 'run'> } & AsyncDisposable> {
  const operations = operationsOf(sync, application.writes);
  const { changedOnly, identity } = application;
  const base = { sync, options, operations, identity, changedOnly };
  if (isTogether(sync)) return { request: base, [Symbol.asyncDispose]: async () => undefined };
  return await over(await deps.openWarehouse(sync.warehouse), async (warehouse) => {
    const waits = await warehouse.neverCommitted({ project: sync.project, after: sync.model.after }, attempt);
    // What is missing may be what the query reads.
    if (waits.length > 0) return { request: { ...base, waits }, [Symbol.asyncDispose]: () => close([warehouse]) };
    const rows = await warehouse.query(sync.model.sql, attempt);
    return { request: { ...base, rows }, [Symbol.asyncDispose]: () => close([rows, warehouse]) };
  });
}
