import http from 'node:http';
import { runOutcome, startRun, plainSync } from '../client/runs.ts';
import { post, sendBare } from './bare-client.ts';
import type { Case } from './case.ts';
import type { CrmBehaviour, CrmSeen } from './crm.ts';
import { execute, withClient } from './data.ts';
import { customersSql, limitedRows, limitedSql } from './project.ts';
import type { Bench } from './servers.ts';

const batchRows = 100;
const concurrency = 8;
const limit = { requests: 190, per: 10_000 };

interface Sent {
  /** In the project file. */
  readonly sync: string;
  readonly sql: string;
  readonly rows: number;
  readonly behaviour: CrmBehaviour;
}

/** Customers of a shop, as marts have them. */
async function fillCustomers(bench: Bench, rows: number): Promise<void> {
  await execute(bench.warehouse, 'DROP TABLE IF EXISTS public.customers');
  await execute(
    bench.warehouse,
    `CREATE TABLE public.customers AS SELECT i AS id, 'user' || i || '@example.com' AS email, (ARRAY['free', 'basic', 'pro', 'Geschäft'])[1 + i % 4] AS plan,
     i % 100 AS health_score, (i % 1000) / 1000.0::float8 AS churn_risk, (i % 9999 + 0.25)::numeric(14,2) AS revenue,
     CASE WHEN i % 7 = 0 THEN NULL ELSE 'country ' || i % 50 END AS country FROM generate_series(1, ${rows}) i`,
  );
}

// The limits are kept there too: the CRM forgets the requests of the round before, and a round must not wait for those.
const books = ['ledger_rows', 'sync_open_rows', 'sync_log_rows', 'limits'].map((name) => `_millrace.${name}`).join(', ');

/** Every round is a first delivery: the books forget what was acknowledged, and the requests that were. */
async function forget(bench: Bench): Promise<void> {
  await withClient(bench.warehouse, async (client) => {
    const { rows } = await client.query<{ made: boolean }>(`SELECT to_regclass('_millrace.ledger_rows') IS NOT NULL AS made`);
    if (rows[0]?.made === true) await client.query(`TRUNCATE ${books}`);
    await client.query('VACUUM ANALYZE');
  });
}

const agent = new http.Agent();
const behave = async (bench: Bench, behaviour: CrmBehaviour): Promise<void> => void (await post(agent, `${bench.crm}/behave`, behaviour));
const seen = async (bench: Bench): Promise<CrmSeen> => (await post(agent, `${bench.crm}/seen`, {})) as CrmSeen;

async function runSync(bench: Bench, name: string): Promise<void> {
  const defined = bench.definitions.syncs.get(name);
  if (defined === undefined) throw new Error(`no sync ${name}`);
  const runnable = { kind: 'sync', definition: defined.definition } as const;
  const started = await startRun(bench.client, runnable, plainSync, defined.hash);
  const outcome = await runOutcome(bench.client, runnable, started);
  if (!outcome.ok) throw new Error(`${name}: ${outcome.message}`);
}

/** Each row once, and each of them acknowledged in the books with what was sent last. */
async function checkSeen(bench: Bench, { sync, sql, rows }: Sent, found: CrmSeen, wanted: CrmSeen | undefined): Promise<void> {
  const requests = Math.ceil(rows / batchRows);
  const { digest } = wanted ?? found;
  if (found.rows !== rows || found.contacts !== rows || found.requests !== requests || found.digest !== digest)
    throw new Error(`${sync}: the CRM saw ${JSON.stringify(found)}, and is to have seen ${rows} rows in ${requests} requests, ${digest}`);
  const missing = await withClient(bench.warehouse, (client) =>
    client.query<{ rows: number }>(
      `SELECT count(*)::integer AS rows FROM (${sql}) m LEFT JOIN (SELECT key FROM _millrace.ledger WHERE sync = $1 AND at >= (SELECT max(started_at)
       FROM _millrace.sync_runs WHERE sync = $1 AND acknowledged = ${rows} AND rejected = 0 AND unknown = 0)) l ON l.key = m.email WHERE l.key IS NULL`,
      [sync],
    ),
  );
  if (missing.rows[0]?.rows !== 0) throw new Error(`${sync}: ${missing.rows[0]?.rows} rows are not in the ledger`);
}

/** A whole model to a CRM with a batch upsert, against a client that sends the same and keeps no books. */
function reverseCase(bench: Bench, name: string, goal: number, sent: Sent): Case {
  let wanted: CrmSeen | undefined;
  return {
    name,
    goal,
    rows: sent.rows,
    setUp: () => fillCustomers(bench, sent.rows),
    async before() {
      await forget(bench);
      await behave(bench, sent.behaviour);
    },
    async reference() {
      await sendBare({ warehouse: bench.warehouse, crm: bench.crm, sql: sent.sql, rows: batchRows, concurrency });
    },
    async between() {
      wanted = await seen(bench);
      await behave(bench, sent.behaviour);
    },
    millrace: () => runSync(bench, sent.sync),
    compare: async () => await checkSeen(bench, sent, await seen(bench), wanted),
  };
}

/** A limited CRM, against the soonest end that its limit allows. */
function limitedCase(bench: Bench): Case {
  const sent: Sent = { sync: 'limited', sql: limitedSql, rows: limitedRows, behaviour: { latency: 20, limit } };
  return {
    name: 'reverse-rate-limit',
    goal: 1.12,
    rows: limitedRows,
    theory: ((Math.ceil(limitedRows / batchRows / limit.requests) - 1) * limit.per + sent.behaviour.latency) / 1000,
    setUp: () => fillCustomers(bench, limitedRows),
    async before() {
      await forget(bench);
      await behave(bench, sent.behaviour);
    },
    reference: async () => undefined,
    millrace: () => runSync(bench, sent.sync),
    async compare() {
      const found = await seen(bench);
      if (found.throttled > 0) console.error(`reverse-rate-limit: ${found.throttled} requests were refused`);
      await checkSeen(bench, sent, found, undefined);
    },
  };
}

/** Measurements of syncs whose time goes into sending. */
export const syncCases = (bench: Bench, rows: number): readonly Case[] => [
  reverseCase(bench, 'reverse-fixed-latency', 1.3, { sync: 'contacts', sql: customersSql, rows, behaviour: { latency: 20 } }),
  reverseCase(bench, 'reverse-zero-latency', 2.5, { sync: 'contacts', sql: customersSql, rows, behaviour: { latency: 0 } }),
  limitedCase(bench),
];
