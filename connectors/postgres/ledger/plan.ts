import type pg from 'pg';
import { noSyncCounts, type LeftJobs, type SyncPlan, type SyncRunName } from '../../../schema/sync.ts';
import type { SyncPlanRequest } from '../../sync-books.ts';
import type { Attempt } from '../../connector.ts';
import { connect } from '../session.ts';
import { quoteLiteral } from '../sql.ts';
import { queryFailed } from '../warehouse/model-query.ts';
import { neverCommitted } from '../warehouse/model.ts';
import { inTransaction } from '../warehouse/transaction.ts';
import { enterRun, takeOver } from './claim.ts';
import type { BooksConnection } from './connection.ts';
import { diffSql, type DiffRequest } from './diff.ts';
import { countFirst, firstSql, isFirst } from './first-plan.ts';
import { fenced } from './hold.ts';
import { findLeftJobs, forgetJobs } from './jobs.ts';
import { copyModel, ownModel, type ModelSource } from './model-source.ts';
import { modelSql } from './model-sql.ts';
import { planTable } from './names.ts';
import { bookOpenRows, takeUnknownAsSent } from './open-rows.ts';
import { readBooksState, settleMapping } from './state.ts';
import { countPlan, guardDeletes, hasHiddenRepeats, repeatsSql, type PlanTotals } from './totals.ts';

const planning = {
  // All that is compared and counted is of one moment.
  default_transaction_isolation: 'repeatable read',
  idle_in_transaction_session_timeout: '60s',
  // Hashes and JSON of a row cost far more than the planner thinks, so that workers are worth their while sooner.
  parallel_tuple_cost: '0.02',
  parallel_setup_cost: '200',
};
const locks = { timeout: 10_000, attempts: 5 };

/** Compares the model with the ledger and writes the run's plan, in one transaction; what a run has planned stays as it is. */
export async function plan(books: BooksConnection, request: SyncPlanRequest, attempt: Attempt): Promise<SyncPlan> {
  const claimed = await books.transaction(attempt, async (client) => {
    const run = await enterRun(client, request.run);
    if (run.plan !== null) return run;
    const left = await leftJobs(client, request, run.syncNo);
    if (left !== undefined) return { ...run, plan: { ...nothing, left } };
    await takeOver(client, request.run, run.syncNo);
    return run;
  });
  if (claimed.plan !== null) return claimed.plan;
  const { settings } = books;
  await using session = await connect(settings, attempt, {
    what: `connection ${books.name}, sync ${request.sync.name}`,
    settings: planning,
  });
  const rows = request.rows;
  const copied = rows === undefined ? undefined : await session.run(async (client) => await copyModel(client, rows));
  return await inTransaction(settings, session, attempt, locks, async (client) => {
    const planned = await lockRun(client, request);
    return planned ?? (await planNow(client, request, claimed.syncNo, copied));
  });
}

async function leftJobs(client: pg.Client, { run, options }: SyncPlanRequest, syncNo: number): Promise<LeftJobs | undefined> {
  if (options.unknown === undefined) return await findLeftJobs(client, syncNo, run.runId);
  await forgetJobs(client, syncNo, run.runId);
  return undefined;
}

/** The plan that another attempt has written meanwhile. Throws `fenced` when another run took over. */
async function lockRun(client: pg.Client, { run }: SyncPlanRequest): Promise<SyncPlan | undefined> {
  const { rows } = await client.query<{ plan: string | null }>(
    'SELECT plan::text AS plan FROM _millrace.sync_runs WHERE run_id = $1 FOR UPDATE',
    [run.runId],
  );
  const text = rows[0]?.plan;
  if (text !== null && text !== undefined) return JSON.parse(text) as SyncPlan;
  await requireBooks(client, run, '');
  return undefined;
}

/** Throws `fenced` when another run took over the books; where it does so just now, the transaction fails and is tried again. */
async function requireBooks(client: pg.Client, run: SyncRunName, lock: '' | 'FOR SHARE'): Promise<void> {
  const text = `SELECT FROM _millrace.syncs WHERE (project, sync, run_id) = ($1, $2, $3) ${lock}`;
  const { rows } = await client.query(text, [run.project, run.sync, run.runId]);
  if (rows.length === 0) throw fenced(run);
}

async function planNow(client: pg.Client, request: SyncPlanRequest, syncNo: number, copied: ModelSource | undefined): Promise<SyncPlan> {
  const { sync } = request;
  const isHere = copied === undefined && request.waits === undefined;
  const waits = isHere ? await neverCommitted(client, { project: sync.project, after: sync.model.after }) : (request.waits ?? []);
  if (waits.length > 0) return await keepPlan(client, request, waiting(waits));
  const source = copied ?? (await ownModel(client, sync));
  const model = modelSql(sync, source.columns);
  const notes = await settleMapping(client, request, syncNo);
  const settled = request.options.unknown === 'sent' ? await takeUnknownAsSent(client, request, syncNo) : [];
  const state = await readBooksState(client, syncNo);
  const diff: DiffRequest = { ...request, ...source, books: state, counted: state.repeated };
  const totals = await write(client, request, diff);
  guardDeletes(sync, totals, state.ledgerRows);
  await bookOpenRows(client, request, syncNo);
  await client.query(`CREATE UNIQUE INDEX ON ${planTable(request.run)} (no)`);
  return await keepPlan(client, request, {
    counts: { ...noSyncCounts, planned: totals.planned, invalid: totals.invalid },
    operations: totals.operations,
    again: totals.again,
    columns: model.columns,
    modelRows: totals.modelRows,
    ledgerRows: state.ledgerRows,
    notes: [...notes, ...settled, ...totals.notes],
  });
}

/** Writes the plan's table; where it turns out that keys repeat, again with all keys counted. */
async function write(client: pg.Client, request: SyncPlanRequest, diff: DiffRequest): Promise<PlanTotals> {
  const table = planTable(request.run);
  const fill = async (query: string): Promise<void> => {
    try {
      await client.query(`CREATE TABLE ${table} AS ${query}`);
    } catch (error) {
      throw queryFailed(error, `model ${request.sync.model.name}`);
    }
  };
  const first = isFirst(diff);
  await fill(first ? firstSql(diff) : readOnlyDiff(diff));
  const totals = first ? await countFirst(client, table, diff) : await countPlan(client, table);
  if (totals !== undefined && (first || diff.counted)) return totals;
  if (totals !== undefined && !hasHiddenRepeats(totals, diff.books.ledgerRows) && !(await hasRepeats(client, table))) return totals;
  await client.query(`DROP TABLE ${table}`);
  await fill(readOnlyDiff({ ...diff, counted: true }));
  return await countPlan(client, table);
}

function readOnlyDiff(diff: DiffRequest): string {
  return diffSql(
    diff,
    (inner, columns) => `_millrace.read_only(${quoteLiteral(inner)}) AS picks (${columns.map((column) => column.join(' ')).join(', ')})`,
  );
}

async function hasRepeats(client: pg.Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ repeats: boolean }>(`SELECT ${repeatsSql(table)} AS repeats`);
  return rows[0]?.repeats ?? false;
}

const nothing: SyncPlan = { counts: noSyncCounts, operations: {}, again: 0, columns: [], modelRows: 0, ledgerRows: 0, notes: [] };

function waiting(waits: readonly string[]): SyncPlan {
  return { ...nothing, waits: waits.join(', '), notes: [`waits for the first load of ${waits.join(', ')}`] };
}

async function keepPlan(client: pg.Client, { run }: SyncPlanRequest, made: SyncPlan): Promise<SyncPlan> {
  await requireBooks(client, run, 'FOR SHARE');
  await client.query('UPDATE _millrace.sync_runs SET plan = $2, planned = $3, invalid = $4 WHERE run_id = $1', [
    run.runId,
    JSON.stringify(made),
    made.counts.planned,
    made.counts.invalid,
  ]);
  return made;
}
