import { randomUUID } from 'node:crypto';
import type { Attempt } from '../connectors/connector.ts';
import { openSyncBooks } from '../connectors/postgres/ledger/sync-books.ts';
import type { SyncBooks } from '../connectors/sync-books.ts';
import type { SyncRunName } from '../schema/sync.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { Case } from './case.ts';
import { execute, withClient } from './data.ts';
import type { Bench } from './servers.ts';

const fields = ['plan', 'health_score', 'churn_risk', 'revenue', 'country'];
const model = `SELECT email, ${fields.join(', ')} FROM public.accounts`;
const hash = `md5('12345678' || ROW(email, ${fields.join(', ')})::text)::uuid`;
/** One row in this many changes each round. */
const share = 100;
const recordedRows = 20_000;

const attempt: Attempt = { signal: new AbortController().signal, name: 'millrace:bench:plan', beat: () => undefined };

/** A sync of the project with another model. */
function definitionOf(bench: Bench): SyncDefinition {
  const defined = bench.definitions.syncs.get('contacts');
  if (defined === undefined) throw new Error('no sync contacts');
  const { definition } = defined;
  return {
    ...definition,
    name: 'accounts',
    model: { name: 'accounts', sql: model, key: ['email'], after: [] },
    match: [{ column: 'email', field: 'email' }],
    map: fields.map((column) => ({ column, field: column, whenNull: 'clear' })),
  };
}

async function fill(bench: Bench, rows: number): Promise<void> {
  await execute(
    bench.warehouse,
    'DROP TABLE IF EXISTS public.accounts; DROP SCHEMA IF EXISTS reference_plan CASCADE; CREATE SCHEMA reference_plan',
  );
  await execute(
    bench.warehouse,
    `CREATE TABLE public.accounts AS SELECT i AS id, 'user' || i || '@example.com' AS email, (ARRAY['free', 'basic', 'pro', 'Geschäft'])[1 + i % 4] AS plan,
     i % 100 AS health_score, (i % 1000) / 1000.0::float8 AS churn_risk, (i % 9999 + 0.25)::numeric(14,2) AS revenue,
     CASE WHEN i % 7 = 0 THEN NULL ELSE 'country ' || i % 50 END AS country FROM generate_series(1, ${rows}) i`,
  );
  await execute(
    bench.warehouse,
    `CREATE TABLE reference_plan.plain AS SELECT email AS key, ${hash} AS hash FROM public.accounts; ALTER TABLE reference_plan.plain ADD PRIMARY KEY (key)`,
  );
}

/** Everything planned is acknowledged. */
async function acknowledge(books: SyncBooks, run: SyncRunName): Promise<void> {
  const hold = await books.hold(run, attempt);
  for (let from = 1; ;) {
    const rows = await books.rows(run, from, recordedRows, attempt);
    const last = rows.at(-1);
    if (last === undefined) break;
    await books.record(
      hold,
      rows.map(({ no }) => ({ no, outcome: 'acknowledged' })),
      attempt,
    );
    from = last.no + 1;
  }
  await books.release(hold, attempt);
  await books.end(run, undefined, attempt);
}

/** The plain diff: one statement over the same model and a table of keys and hashes, that writes the changed rows to a table. */
const plainDiff = `CREATE TABLE reference_plan.changes AS SELECT coalesce(m.email, p.key) AS key, ${fields.map((field) => `m.${field}`).join(', ')}, m.hash
  FROM (SELECT *, ${hash} AS hash FROM (${model}) model) m FULL JOIN reference_plan.plain p ON p.key = m.email WHERE m.hash IS DISTINCT FROM p.hash`;

/** The plan of a sync, of which one row in a hundred changed, against the plain diff. */
export function planCase(bench: Bench, rows: number): Case {
  const sync = definitionOf(bench);
  const nextRun = (): SyncRunName => ({
    project: sync.project,
    sync: sync.name,
    runId: randomUUID(),
    workflowId: 'bench/accounts',
    workflowRunId: 'bench',
  });
  let run = nextRun();
  const withBooks = async (work: (books: SyncBooks) => Promise<void>): Promise<void> => {
    await using books = await openSyncBooks({ type: 'postgres', url: bench.warehouse }, 'warehouse');
    await work(books);
  };
  const plan = async (books: SyncBooks): Promise<void> => {
    const options = { trigger: 'manual', full: false, retry: false, resend: false } as const;
    const operations = { added: 'upsert', changed: 'upsert' } as const;
    await books.plan({ run, sync, options, operations, identity: 'bench', changedOnly: false }, attempt);
  };
  return {
    name: 'reverse-plan',
    goal: 1.5,
    rows,
    async setUp() {
      await fill(bench, rows);
      await withBooks(async (books) => {
        await plan(books);
        await acknowledge(books, run);
      });
    },
    async before(round) {
      run = nextRun();
      await execute(bench.warehouse, 'DROP TABLE IF EXISTS reference_plan.changes');
      await execute(bench.warehouse, `UPDATE public.accounts SET health_score = health_score + 1 WHERE id % ${share} = ${round}`);
      for (const table of ['public.accounts', 'reference_plan.plain', '_millrace.ledger_rows'])
        await execute(bench.warehouse, `VACUUM ANALYZE ${table}`);
    },
    reference: () =>
      withClient(bench.warehouse, async (client) => {
        // As much memory as a plan gives itself.
        await client.query(`SET work_mem = '64MB'`);
        await client.query(plainDiff);
      }),
    millrace: () => withBooks(plan),
    async compare() {
      await withBooks(async (books) => {
        const planned = await books.rows(run, 1, rows, attempt);
        const wanted = await withClient(bench.warehouse, (client) =>
          client.query<{ key: string }>('SELECT key FROM reference_plan.changes ORDER BY key COLLATE "C"'),
        );
        const keys = JSON.stringify(wanted.rows.map((row) => row.key));
        if (planned.length !== rows / share || JSON.stringify(planned.map((row) => row.key)) !== keys)
          throw new Error(`the plan has ${planned.length} rows, the plain diff ${wanted.rows.length}`);
        await acknowledge(books, run);
      });
      await execute(bench.warehouse, 'UPDATE reference_plan.plain p SET hash = c.hash FROM reference_plan.changes c WHERE c.key = p.key');
    },
  };
}
