import type { Dependencies } from '../activities/dependencies.ts';
import { plainSync, runOutcome, startRun, type RunOutcome } from '../client/runs.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { SyncOptions, SyncReport } from '../schema/sync.ts';
import { openLedgered, startLedgered, type Ledgered, type LedgeredSettings } from './fakes/ledgered.ts';
import { defineSync } from './kits/sync-definition.ts';
import { openProject, sql, type TestProject } from './pipeline-kit.ts';
import { createDatabase, dropDatabase } from './servers.ts';

/** Dependencies that know connections of type `ledgered` too. */
export const withLedgered = (dependencies: Dependencies): Dependencies => ({
  ...dependencies,
  openApplication: async (connection, request, context) =>
    connection.type === 'ledgered' ? openLedgered(connection.settings) : await dependencies.openApplication(connection, request, context),
});

export const postgresConnection = (name: string, url: string): SyncDefinition['warehouse'] => ({
  name,
  type: 'postgres',
  settings: { type: 'postgres', url },
});

/** A sync of the table `customers (key, value)` of a warehouse to a ledgered application. */
function ledgeredSync(
  place: { readonly project: string; readonly warehouse: string; readonly url: string },
  { settings, ...more }: Partial<SyncDefinition> & { readonly settings?: Partial<LedgeredSettings> } = {},
): SyncDefinition {
  const warehouse = postgresConnection('warehouse', place.warehouse);
  const application = { url: place.url, settles: { upsert: 'upsert', delete: 'upsert' }, requestTimeout: 1000, ...settings };
  return defineSync({
    project: place.project,
    warehouse,
    state: warehouse,
    model: { name: 'customers', sql: 'SELECT key, value FROM customers', key: ['key'], after: [] },
    to: { name: 'app', type: 'ledgered', settings: application },
    ...more,
  });
}

/** A project with a warehouse, a worker and a fake application. */
export interface SyncProject extends AsyncDisposable {
  readonly project: TestProject;
  readonly warehouse: string;
  readonly ledgered: Ledgered;
  sync(more?: Parameters<typeof ledgeredSync>[1]): SyncDefinition;
  run(definition: SyncDefinition, options?: Partial<SyncOptions>): Promise<RunOutcome>;
  /** A run that must succeed. */
  report(definition: SyncDefinition, options?: Partial<SyncOptions>): Promise<SyncReport>;
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, string | null>[]>;
}

/** Fills the table `customers` with `count` rows of keys `k1`, `k2`, … */
export const customers = (count: number): string =>
  `CREATE TABLE customers (key text, value text); INSERT INTO customers SELECT 'k' || i, 'value ' || i FROM generate_series(1, ${count}) i`;

export async function openSyncProject(
  prefix: string,
  wrap: (dependencies: Dependencies) => Dependencies = withLedgered,
): Promise<SyncProject> {
  const [warehouse, ledgered] = await Promise.all([createDatabase(prefix), startLedgered()]);
  const project = await openProject(prefix, { wrap });
  const opened: SyncProject = {
    project,
    warehouse,
    ledgered,
    sync: (more) => ledgeredSync({ project: project.project, warehouse, url: ledgered.url }, more),
    async run(definition, options = {}) {
      const runnable = { kind: 'sync', definition } as const;
      return await runOutcome(project.client, runnable, await startRun(project.client, runnable, { ...plainSync, ...options }, 'test'));
    },
    async report(definition, options) {
      const outcome = await opened.run(definition, options);
      if (!outcome.ok || outcome.sync === undefined) throw new Error(JSON.stringify(outcome));
      return outcome.sync;
    },
    sql: (text, values) => sql(warehouse, text, values),
    async [Symbol.asyncDispose]() {
      await project[Symbol.asyncDispose]();
      await ledgered[Symbol.asyncDispose]();
      await dropDatabase(warehouse);
    },
  };
  return opened;
}
