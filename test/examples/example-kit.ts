import assert from 'node:assert/strict';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toDefinitions, type Definitions } from '../../client/project/definitions.ts';
import { loadProject } from '../../client/project/load.ts';
import { cancelRuns } from '../../client/run-history.ts';
import { plainSync, runOutcome, startRun, type Runnable, type RunOutcome } from '../../client/runs.ts';
import { applySchedules, type Scheduled } from '../../client/schedules.ts';
import type { SyncReport } from '../../schema/sync.ts';
import type { Fake } from '../fakes/fake.ts';
import { openProject, sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

/** A copy of an example, with databases of its own and a worker. */
export interface Example extends AsyncDisposable {
  /** Where the example's files are. */
  readonly folder: string;
  source(text: string): ReturnType<typeof sql>;
  warehouse(text: string): ReturnType<typeof sql>;
  readonly warehouseUrl: string;
  /** Runs a pipeline or sync of the example's project file. */
  run(name: string): Promise<RunOutcome>;
  /** Runs pipelines and syncs one after the other; each must succeed. Gives the last one's report, where it is a sync. */
  runAll(...names: readonly string[]): Promise<SyncReport | undefined>;
  /** Lets everything that has a schedule run by it, until this is disposed of; then nothing is under way. */
  schedule(): Promise<AsyncDisposable>;
  /** Rows that a sync's application has refused, and why. */
  refused(sync: string): Promise<readonly string[]>;
  /** Asserts that each sync's runs add up, and that its ledger holds exactly the keys given. */
  assertLedger(ledger: Readonly<Record<string, readonly string[]>>): Promise<void>;
}

export interface Variables {
  /** The variable of the database that seed.sql fills. */
  readonly source: string;
  readonly more?: Readonly<Record<string, string>>;
}

function runnableOf({ pipelines, syncs }: Definitions, name: string): Runnable {
  const pipeline = pipelines.get(name)?.definition;
  if (pipeline !== undefined) return { kind: 'pipeline', definition: pipeline };
  const sync = syncs.get(name)?.definition;
  if (sync === undefined) throw new Error(`the example has no pipeline or sync ${name}`);
  return { kind: 'sync', definition: sync };
}

function schedulesOf({ pipelines, syncs }: Definitions): readonly Scheduled[] {
  return [...pipelines, ...syncs].flatMap(([name, { schedule, hash }]) =>
    schedule === undefined ? [] : [{ runnable: runnableOf({ pipelines, syncs } as Definitions, name), schedule, hash }],
  );
}

async function assertSyncs(warehouse: string, expected: Readonly<Record<string, readonly string[]>>): Promise<void> {
  const runs = `SELECT sync, planned, acknowledged, rejected, unknown FROM _millrace.sync_runs`;
  assert.deepEqual(await sql(warehouse, `${runs} WHERE status <> 'succeeded' OR planned <> acknowledged + rejected + unknown`), []);
  const rows = await sql(warehouse, 'SELECT sync, key FROM _millrace.ledger ORDER BY sync, key');
  const ledger = Object.fromEntries(
    Object.keys(expected).map((name) => [name, rows.filter(({ sync }) => sync === name).map(({ key }) => key)]),
  );
  assert.deepEqual(ledger, expected);
}

/** Opens an example as its header says: the databases that it needs by variables, and the project file as it is, under another name. */
export async function openExample(name: string, variables: Variables): Promise<Example> {
  const [sourceUrl, warehouseUrl] = await Promise.all([createDatabase(`${name}_source`), createDatabase(`${name}_warehouse`)]);
  const environment = { ...variables.more, [variables.source]: sourceUrl, WAREHOUSE_URL: warehouseUrl };
  const project = await openProject(name, { environment });
  const folder = join(project.folder, name);
  const original = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
  await cp(original, folder, { recursive: true, filter: (path) => !path.includes('.millrace') });
  const loaded = await loadProject({ cwd: folder });
  const definitions = toDefinitions({ ...loaded, name: project.project, project: { ...loaded.project, project: project.project } });
  await sql(sourceUrl, await readFile(join(folder, 'seed.sql'), 'utf8'));
  const { client } = project;
  const run = async (what: string): Promise<RunOutcome> => {
    const runnable = runnableOf(definitions, what);
    const options = runnable.kind === 'sync' ? plainSync : { fullRefresh: false };
    return await runOutcome(client, runnable, await startRun(client, runnable, options, 'test'));
  };
  return {
    folder,
    source: (text) => sql(sourceUrl, text),
    warehouse: (text) => sql(warehouseUrl, text),
    warehouseUrl,
    run,
    async runAll(...names) {
      let report: SyncReport | undefined;
      for (const each of names) {
        const outcome = await run(each);
        assert.ok(outcome.ok, JSON.stringify(outcome));
        report = outcome.sync;
      }
      return report;
    },
    async schedule() {
      const scheduled = schedulesOf(definitions);
      await applySchedules(client, project.project, scheduled);
      return {
        [Symbol.asyncDispose]: async () => {
          await applySchedules(client, project.project, [], { prune: true });
          const runs = (await Promise.all(scheduled.map(({ runnable }) => cancelRuns(client, runnable)))).flat();
          await Promise.allSettled(runs.map(({ workflowId, runId }) => client.workflow.getHandle(workflowId, runId).result()));
        },
      };
    },
    async refused(sync) {
      const rows = await sql(warehouseUrl, `SELECT key, reason FROM _millrace.sync_open WHERE sync = '${sync}' ORDER BY key`);
      return rows.map(({ key, reason }) => `${key}: ${reason}`);
    },
    assertLedger: (expected) => assertSyncs(warehouseUrl, expected),
    async [Symbol.asyncDispose]() {
      await project[Symbol.asyncDispose]();
      await Promise.all([dropDatabase(sourceUrl), dropDatabase(warehouseUrl)]);
    },
  };
}

/** What happened to objects of a fake since its `from`th effect: `create ada`, in order of words. */
export const effectsOf = ({ effects }: Fake, object: string, from = 0): readonly string[] =>
  effects
    .slice(from)
    .filter((effect) => effect.object === object)
    .map(({ operation, key }) => `${operation} ${key}`)
    .toSorted();

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(' ');
  if (value === undefined || value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A field of a record; `organization_fields.health` is one within another. */
const fieldOf = (record: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Readonly<Record<string, unknown>> | undefined)?.[name], record);

/** The records of an object, by the values of some of their fields, in order of words. */
export const recordsOf = (fake: Fake, object: string, ...fields: readonly string[]): readonly string[] =>
  (fake.records().get(object) ?? []).map((record) => fields.map((field) => textOf(fieldOf(record, field))).join(' ')).toSorted();
