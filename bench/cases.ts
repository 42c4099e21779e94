import { join } from 'node:path';
import { runOutcome, startRun } from '../client/runs.ts';
import { changeOrders, checksums, columnNames, columns, execute, writeCsv } from './data.ts';
import { copyAcross, copyFile } from './reference.ts';
import type { Case } from './case.ts';
import type { Bench } from './servers.ts';
import { planCase } from './plan-case.ts';
import { syncCases } from './sync-cases.ts';

async function run(bench: Bench, name: string): Promise<void> {
  const defined = bench.definitions.pipelines.get(name);
  if (defined === undefined) throw new Error(`no pipeline ${name}`);
  const runnable = { kind: 'pipeline', definition: defined.definition } as const;
  const started = await startRun(bench.client, runnable, { fullRefresh: false }, defined.hash);
  const outcome = await runOutcome(bench.client, runnable, started);
  if (!outcome.ok) throw new Error(`${name}: ${outcome.message}`);
}

const own = [`_load_id uuid DEFAULT gen_random_uuid()`, '_loaded_at timestamptz DEFAULT now()'];

/** The reference's table: the same definition as Millrace's, primary key and own columns included. */
async function makeReference(bench: Bench, table: string, key: string): Promise<void> {
  await execute(bench.warehouse, 'CREATE SCHEMA IF NOT EXISTS reference');
  await execute(bench.warehouse, `DROP TABLE IF EXISTS ${table}`);
  await execute(bench.warehouse, `CREATE TABLE ${table} (${[...columns, ...own].join(', ')}${key === '' ? '' : `, PRIMARY KEY (${key})`})`);
}

async function same(bench: Bench, ours: string, theirs: string, names: readonly string[] = columnNames): Promise<void> {
  const [a, b] = await Promise.all([checksums(bench.warehouse, ours, names), checksums(bench.warehouse, theirs, names)]);
  if (a !== b) throw new Error(`contents differ: ${ours} ${a}, ${theirs} ${b}`);
}

const listed = columnNames.join(', ');

/** A replace from PostgreSQL against a plain pipe of the same rows. */
function replaceCase(
  bench: Bench,
  name: string,
  goal: number,
  pipeline: string,
  table: string,
  rows: number,
  equal: readonly string[],
): Case {
  const reference = `reference.${pipeline}`;
  return {
    name,
    goal,
    rows,
    before: () => makeReference(bench, reference, 'id'),
    reference: () => copyAcross(bench.source, `SELECT ${listed} FROM orders`, bench.warehouse, `${reference} (${listed})`),
    millrace: () => run(bench, pipeline),
    compare: () => same(bench, table, reference, equal),
  };
}

function mergeCase(bench: Bench, rows: number): Case {
  let since = '-infinity';
  const delta = (): string => `SELECT ${listed} FROM orders WHERE updated_at >= '${since}'`;
  const update = columnNames.filter((column) => column !== 'id').map((column) => `${column} = excluded.${column}`);
  return {
    name: 'pg-pg-merge',
    goal: 1.4,
    rows: rows / 10 + rows / 20,
    async setUp() {
      await makeReference(bench, 'reference.merged', 'id');
      await copyAcross(bench.source, delta(), bench.warehouse, `reference.merged (${listed})`);
      await run(bench, 'merge');
    },
    async before(round) {
      since = new Date().toISOString();
      await changeOrders(bench.source, rows, round);
      await execute(bench.warehouse, 'DROP TABLE IF EXISTS reference.delta');
      await execute(bench.warehouse, `CREATE UNLOGGED TABLE reference.delta (${columns.join(', ')})`);
      await execute(bench.warehouse, 'VACUUM ANALYZE reference.merged');
      await execute(bench.warehouse, 'VACUUM ANALYZE merged.orders');
    },
    async reference() {
      await copyAcross(bench.source, delta(), bench.warehouse, `reference.delta (${listed})`);
      await execute(
        bench.warehouse,
        `INSERT INTO reference.merged (${listed}) SELECT ${listed} FROM reference.delta ON CONFLICT (id) DO UPDATE SET ${update.join(', ')}`,
      );
    },
    millrace: () => run(bench, 'merge'),
    compare: () => same(bench, 'merged.orders', 'reference.merged'),
  };
}

function csvCase(bench: Bench, rows: number): Case {
  const clean = join(bench.folder, 'clean.csv');
  const trimmed = columnNames.map((name) => (name === 'customer' ? 'trim(customer)' : name === 'email' ? `nullif(email, 'N/A')` : name));
  return {
    name: 'csv-clean',
    goal: 2,
    rows: rows + rows / 100,
    async setUp() {
      const dirty = `SELECT ${listed} FROM orders WHERE id <= ${rows} UNION ALL SELECT ${listed} FROM orders WHERE id <= ${rows} AND id % 100 = 0`;
      await writeCsv(bench.source, dirty, join(bench.folder, 'drops', 'orders.csv'));
      await writeCsv(bench.source, `SELECT ${trimmed.join(', ')} FROM orders WHERE id <= ${rows}`, clean);
    },
    before: () => makeReference(bench, 'reference.csv', 'id'),
    reference: () => copyFile(clean, bench.warehouse, `reference.csv (${listed})`),
    millrace: () => run(bench, 'csv'),
    compare: () => same(bench, 'csv.orders', 'reference.csv'),
  };
}

function startupCase(bench: Bench): Case {
  return {
    name: 'startup',
    goal: 5,
    rows: 10,
    setUp: async () => void (await execute(bench.source, 'CREATE TABLE tiny AS SELECT i AS id FROM generate_series(1, 10) i')),
    async reference() {
      await bench.client.workflow.execute('fiveActivities', { workflowId: 'five', taskQueue: 'millrace-bench' });
    },
    millrace: () => run(bench, 'small'),
  };
}

const without = (...names: string[]): readonly string[] => columnNames.filter((name) => !names.includes(name));

/** Every measurement, in the order of the table. */
export const casesOf = (bench: Bench, rows: number): readonly Case[] => [
  replaceCase(bench, 'pg-pg-full', 1.3, 'full', 'full_copy.orders', rows, columnNames),
  replaceCase(bench, 'pg-pg-pushdown', 1.6, 'pushdown', 'pushdown.orders', rows, without('note', 'customer', 'email')),
  replaceCase(bench, 'pg-pg-transform', 2.2, 'transform', 'transformed.orders', rows, without('customer', 'order_date')),
  replaceCase(bench, 'pg-pg-dedupe', 3, 'dedupe', 'deduped.orders', rows, columnNames),
  csvCase(bench, rows),
  startupCase(bench),
  mergeCase(bench, rows),
  ...syncCases(bench, rows / 10),
  planCase(bench, rows),
];
