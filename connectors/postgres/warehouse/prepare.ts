import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Load, Prepared } from '../../../schema/load.ts';
import type { Attempt } from '../../connector.ts';
import { quoteIdentifier } from '../sql.ts';
import { ensureBooks } from './books.ts';
import { planContract, refuseLossy, type ContractPlan } from './contract.ts';
import { findDependents } from './dependents.ts';
import { takeFence, type Fence } from './fence.ts';
import { checkFingerprint } from './fingerprint.ts';
import { createDirectTable, createStagedTable, dropLoadTable } from './load-table.ts';
import { loadTable, place } from './names.ts';
import { openSession, type WarehouseContext } from './open.ts';
import { checkOwnership } from './ownership.ts';
import { moved, raiseGeneration, readState } from './state.ts';
import { findTarget, type TargetTable } from './target.ts';
import { endEarlierSessions, inTransaction } from './transaction.ts';

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
  const state = await readState(client, load);
  const committed = await isCommitted(client, load.id);
  if (!committed && (state.version !== load.expectedVersion || state.generation > load.generation)) throw moved(load);
  const target = await findTarget(client, load.target);
  const isFull = load.definition.mode === 'replace' || state.version === 0 || load.generation > state.generation;
  const fence = await takeFence(client, load, isFull);
  // A commit that was under way has ended by now, perhaps with this stream's next version.
  if (!committed && (await readState(client, load)).version !== state.version) throw moved(load);
  const prepared = { epoch: fence.epoch, table: loadTable(load.id) };
  if (committed) return { ...prepared, notes: [] };
  await checkOwnership(client, load, target);
  const warnings = checkFingerprint(load, state, target !== undefined, fence.rebuild);
  await raiseGeneration(client, load);
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(load.target.schema)}`);
  if (fence.previous !== null && fence.previous !== load.id) await dropLoadTable(client, fence.previous);
  const notes = await createLoadTable(client, load, fence, target);
  return { ...prepared, notes: [...warnings, ...notes] };
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
  if (fence.rebuild && !fence.ordered && canSwap(load, plan, dependents)) {
    await createDirectTable(client, load, target);
    return plan.notes;
  }
  refuseLossy(load, plan, lossRemedy(load, fence.rebuild, dependents));
  await createStagedTable(client, load);
  return [
    ...plan.notes,
    ...changes(plan),
    ...(dependents.length > 0 ? [`filled in place, for the table carries ${dependents.join(', ')}`] : []),
  ];
}

/** True when a new table can take the target's place: nothing hangs on the old one, and it would have the columns that the contract allows. */
export function canSwap(load: Load, plan: ContractPlan, dependents: readonly string[]): boolean {
  return dependents.length === 0 && plan.delivered.length === load.columns.length;
}

function changes(plan: ContractPlan): readonly string[] {
  return [
    ...plan.add.map((column) => `column ${column.name} ${column.type} is added`),
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

/** True when the load stands in the books. */
export async function isCommitted(client: pg.Client, loadId: string): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM _millrace.loads WHERE load_id = $1', [loadId]);
  return rows.length > 0;
}
