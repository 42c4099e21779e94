import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Load, Prepared } from '../../../schema/load.ts';
import type { Attempt } from '../../connector.ts';
import { quoteTable } from '../sql.ts';
import { readsBack } from './append.ts';
import { ensureBooks, ensureSchema } from './books.ts';
import { planContract, refuseLossy, type ContractPlan } from './contract.ts';
import { findDependents } from './dependents.ts';
import { takeFence, type Fence } from './fence.ts';
import { checkFingerprint } from './fingerprint.ts';
import { createDirectTable, createStagedTable, dropLoadTable } from './load-table.ts';
import { columnList, historyColumns, loadTable, place } from './names.ts';
import { openSession, type WarehouseContext } from './open.ts';
import { checkOwnership } from './ownership.ts';
import { moved, raiseGeneration, readState, type BookedState } from './state.ts';
import { findTarget, hasKeyIndex, hasUniqueIndex, type TargetTable } from './target.ts';
import { endEarlierSessions, endSessionsOf, inTransaction } from './transaction.ts';

/** Takes the fence, checks what must hold, and makes the load's table, in one transaction; again with the same load it changes nothing. */
export async function prepare(context: WarehouseContext, load: Load, attempt: Attempt): Promise<Prepared> {
  await using session = await openSession(context, attempt, load);
  await session.run(async (client) => {
    await endEarlierSessions(client);
    await ensureBooks(client);
  });
  return await inTransaction(context.settings, session, attempt, context.locks, (client) => prepareOnce(client, load));
}

async function prepareOnce(client: pg.Client, load: Load): Promise<Prepared> {
  checkKeys(load);
  const table = loadTable(load.id);
  const epoch = await committedEpoch(client, load.id);
  if (epoch !== undefined) return { epoch, table, notes: [] };
  const state = await readState(client, load);
  if (state.version !== load.expectedVersion || state.generation > load.generation) throw moved(load);
  const target = await findTarget(client, load.target);
  const fence = await takeFence(client, load, isFull(load, state, target));
  // A commit that was under way has ended by now, perhaps with this stream's next version.
  if ((await readState(client, load)).version !== state.version) throw moved(load);
  await checkOwnership(client, load, target);
  requireTarget(load, target);
  const warnings = mayDiffer(load, state, fence) ? [] : checkFingerprint(load, state, target !== undefined);
  if (target !== undefined && !fence.rebuild) await checkShape(client, load, target);
  await raiseGeneration(client, load);
  await ensureSchema(client, load.target.schema);
  await dropPrevious(client, load, fence);
  const notes = await createLoadTable(client, load, fence, target);
  const slow = target === undefined || fence.rebuild ? [] : await slowLookup(client, load, target);
  return { epoch: fence.epoch, table, notes: [...warnings, ...notes, ...slow] };
}

/** An append that looks keys up in a table that was adopted without an index on them. */
async function slowLookup(client: pg.Client, load: Load, { oid }: TargetTable): Promise<readonly string[]> {
  if (!readsBack({ load }) || (await hasKeyIndex(client, oid, load.definition.key))) return [];
  const key = columnList(load.definition.key);
  return [
    `${load.target.schema}.${load.target.table} has no index on ${load.definition.key.join(', ')}, so that each load reads all of it to find duplicates: CREATE INDEX CONCURRENTLY ON ${quoteTable(load.target)} (${key})`,
  ];
}

/** True for full refreshes, which accept any fingerprint, and where the load was prepared before. */
function mayDiffer(load: Load, state: BookedState, fence: Fence): boolean {
  return fence.previous === load.id || load.generation > state.generation;
}

/** Drops the table of the load that this one shuts out, with the sessions that may still fill it. */
async function dropPrevious(client: pg.Client, load: Load, { previous }: Fence): Promise<void> {
  if (previous === null || previous === load.id) return;
  await endSessionsOf(client, previous);
  await dropLoadTable(client, previous);
}

/** True when the load builds its target anew: always for `replace`, on a full refresh, and where there is no target yet. */
function isFull(load: Load, state: BookedState, target: TargetTable | undefined): boolean {
  if (load.reconciles || load.retries !== undefined) return false;
  return load.definition.mode === 'replace' || load.generation > state.generation || (state.version === 0 && target === undefined);
}

/** Loads that go into what others have loaded can't make the table. */
function requireTarget(load: Load, target: TargetTable | undefined): void {
  if (target !== undefined || (!load.reconciles && load.retries === undefined)) return;
  throw new MillraceError(
    'config',
    `${place(load)}: the table ${load.target.schema}.${load.target.table} is missing. Bring it back, or load everything again with: millrace run ${load.pipeline} --full-refresh`,
  );
}

/** Refuses a target that the mode can't be delivered into: one that was adopted, or filled in another mode. */
async function checkShape(client: pg.Client, load: Load, target: TargetTable): Promise<void> {
  const { mode, key } = load.definition;
  const name = `${load.target.schema}.${load.target.table}`;
  const remedy = `or load everything again with: millrace run ${load.pipeline} --full-refresh`;
  if (mode === 'merge' && !(await hasUniqueIndex(client, target.oid, key))) {
    throw new MillraceError(
      'config',
      `${place(load)}: ${name} has no primary key or unique index on ${key.join(', ')}, which merge needs; add one, ${remedy}`,
    );
  }
  if (mode === 'history' && !target.columns.some((column) => column.name === historyColumns[2])) {
    throw new MillraceError(
      'config',
      `${place(load)}: ${name} doesn't have the columns of a history (${historyColumns.join(', ')}); add them, ${remedy}`,
    );
  }
}

/** Makes the load's table of the kind that its delivery needs; what is there already stays. */
export async function createLoadTable(
  client: pg.Client,
  load: Load,
  fence: Fence,
  target: TargetTable | undefined,
): Promise<readonly string[]> {
  const plan = planContract(load, target);
  const dependents = target === undefined || !fence.rebuild ? [] : await findDependents(client, target.oid);
  if (fence.rebuild && !fence.ordered && load.repeats !== true && canSwap(load, plan, dependents)) {
    await createDirectTable(client, load, target);
    return plan.notes;
  }
  refuseLossy(load, plan, lossRemedy(load, fence.rebuild, dependents));
  await createStagedTable(client, load);
  return [
    ...plan.notes,
    ...changes(plan, fence.rebuild ? '' : '; rows loaded before have NULL there'),
    ...(dependents.length > 0 ? [`filled in place, for the table carries ${dependents.join(', ')}`] : []),
  ];
}

/** True when a new table can take the target's place: nothing hangs on the old one, and it would have the columns that the contract allows. */
export function canSwap(load: Load, plan: ContractPlan, dependents: readonly string[]): boolean {
  return dependents.length === 0 && plan.delivered.length === load.columns.length;
}

function changes(plan: ContractPlan, before: string): readonly string[] {
  return [
    ...plan.add.map((column) => `column ${column.name} ${column.type} is added${before}`),
    ...plan.widen.map((change) => `column ${change.name} is widened from ${change.from} to ${change.to}`),
  ];
}

function lossRemedy(load: Load, rebuild: boolean, dependents: readonly string[]): string {
  if (rebuild)
    return `the table can't be built anew while it carries ${dependents.join(', ')}; drop those, or cast the column in the transform`;
  return `cast it in the transform, or load everything again with: millrace run ${load.pipeline} --full-refresh`;
}

function checkKeys(load: Load): void {
  const { mode, key } = load.definition;
  if (mode !== 'merge' && mode !== 'history') return;
  const names = new Set(load.columns.map((column) => column.name));
  const missing = key.filter((name) => !names.has(name));
  if (key.length === 0) throw new MillraceError('config', `${place(load)}: mode ${mode} needs a key; name its columns with key`);
  if (missing.length > 0)
    throw new MillraceError('config', `${place(load)}: key column ${missing.join(', ')} is not among the columns delivered`);
}

/** The epoch under which a load was committed; undefined when it isn't in the books. */
export async function committedEpoch(client: pg.Client, loadId: string): Promise<number | undefined> {
  const { rows } = await client.query<{ epoch: string }>('SELECT epoch FROM _millrace.loads WHERE load_id = $1', [loadId]);
  return rows[0] === undefined ? undefined : Number(rows[0].epoch);
}
