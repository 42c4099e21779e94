import type pg from 'pg';
import type { Committed, Load, Manifest, Prepared } from '../../../schema/load.ts';
import type { Attempt } from '../../connector.ts';
import { quoteTable } from '../sql.ts';
import { announceLoad } from './announce.ts';
import { append } from './append.ts';
import { bookLoad, readCommitted } from './book-load.ts';
import { ensureBooks } from './books.ts';
import { changeKey } from './change-key.ts';
import { OrderNeeded } from './clean-keys.ts';
import { notesOfGone, planContract, refuseLossy } from './contract.ts';
import type { Delivered, Delivery } from './delivery.ts';
import { findDependents } from './dependents.ts';
import { addColumns, widenColumns } from './evolve.ts';
import { holdFence } from './fence.ts';
import { createTarget, fill } from './fill.ts';
import { history } from './history.ts';
import { findLoadTable, type LoadTable } from './load-table.ts';
import { merge } from './merge.ts';
import { openSession, type WarehouseContext } from './open.ts';
import { keyDefinition } from './own-columns.ts';
import { bookTable } from './ownership.ts';
import { canSwap } from './prepare.ts';
import { reconcile } from './reconcile.ts';
import { closeRejections } from './rejected-keys.ts';
import { receiveRejections, storeRejections } from './rejections.ts';
import { addRetried } from './retried.ts';
import { startAgain } from './start-again.ts';
import { isReconcileDue, moveState } from './state.ts';
import { swap } from './swap.ts';
import { findTarget, type TargetTable } from './target.ts';
import { endEarlierSessions, inTransaction } from './transaction.ts';
import { lost, measure, shapeOf, verifyFiles, verifyRows, type Shape } from './verify.ts';
import { MillraceError } from '../../../schema/errors.ts';

/** Delivers a load in one transaction; a second call returns what was committed. */
export async function commit(
  context: WarehouseContext,
  load: Load,
  prepared: Prepared,
  manifest: Manifest,
  rejections: AsyncIterable<Uint8Array>,
  attempt: Attempt,
): Promise<Committed> {
  await using session = await openSession(context, attempt, load);
  const done = await session.run(async (client) => {
    await endEarlierSessions(client);
    // Prepared by an older worker, perhaps, which knew older books.
    await ensureBooks(client);
    return await committedBefore(client, load);
  });
  if (done !== undefined) return done;
  await session.run((client) => receiveRejections(client, rejections, attempt));
  const run = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> =>
    inTransaction(context.settings, session, attempt, context.locks, work);
  await run((client) => evolve(client, load, prepared));
  try {
    return await run((client) => commitOnce(client, load, prepared, manifest));
  } catch (error) {
    if (error instanceof OrderNeeded) {
      await run((client) => startAgain(client, load, prepared.epoch, true));
      throw lost(load, 'rows share a key, and which of them is newest needs a table that keeps their order');
    }
    if (error instanceof MillraceError && error.code === 'staging-lost')
      await run((client) => startAgain(client, load, prepared.epoch, false));
    throw error;
  }
}

/** What an earlier attempt has committed. */
async function committedBefore(client: pg.Client, load: Load): Promise<Committed | undefined> {
  const committed = await readCommitted(client, load.id);
  return committed === undefined ? undefined : await withReconcile(client, load, committed);
}

async function withReconcile(client: pg.Client, load: Load, committed: Committed): Promise<Committed> {
  return (await isReconcileDue(client, load)) ? { ...committed, reconcile: true } : committed;
}

/** Adds planned columns in a short transaction of its own, so that the commit never waits for it. */
async function evolve(client: pg.Client, load: Load, prepared: Prepared): Promise<void> {
  await holdFence(client, load, prepared.epoch, 'FOR SHARE');
  const target = await findTarget(client, load.target);
  const table = await findLoadTable(client, load.id);
  if (target !== undefined && table?.logged !== true) await addColumns(client, load, planContract(load, target), target);
}

async function commitOnce(client: pg.Client, load: Load, prepared: Prepared, manifest: Manifest): Promise<Committed> {
  const done = await committedBefore(client, load);
  if (done !== undefined) return done;
  const fence = await holdFence(client, load, prepared.epoch, 'FOR SHARE');
  const other = await bookLoad.open(client, load, prepared.epoch, manifest);
  if (other !== undefined) return other;
  await moveState(client, load, fence.rebuild);
  const table = await verifyFiles(client, load, await findLoadTable(client, load.id), manifest);
  const target = await findTarget(client, load.target);
  const contract = planContract(load, target);
  const swaps = fence.rebuild && table.logged && canSwap(load, contract, await dependentsOf(client, target));
  const shape = await measureDelivery(client, load, table, manifest, swaps);
  const delivery = { client, load, fence, table, shape, contract, target, rejected: manifest.rejected };
  await closeRejections(delivery);
  const delivered = swaps ? await swap(delivery) : await deliver(delivery);
  await storeRejections(client, load);
  await bookTable(client, load, target !== undefined && load.definition.adopt);
  await client.query(`DROP TABLE IF EXISTS ${table.name}`);
  const notes = [...contract.notes, ...notesOfGone(load, target)];
  const committed = await withReconcile(client, load, await bookLoad.close(client, load, manifest, delivered, notes));
  await announceLoad(client, load, delivered, target === undefined || replacesAll(load, fence.rebuild));
  return committed;
}

/** Whether nothing of what the target held stays for sure: a commit of no rows is a change then too. */
function replacesAll(load: Load, rebuild: boolean): boolean {
  return rebuild || (load.definition.mode === 'replace' && load.retries === undefined && !load.reconciles);
}

/** Counts what is to be delivered and checks it against the manifest; a swap with a key leaves that to the key's index. */
async function measureDelivery(client: pg.Client, load: Load, table: LoadTable, manifest: Manifest, swaps: boolean): Promise<Shape> {
  if (swaps && keyDefinition(load) !== undefined) return shapeOf(manifest);
  const shape = await measure(client, table, swaps ? [] : keyOf(load));
  verifyRows(load, shapeOf(manifest).rows, shape.rows);
  return shape;
}

async function dependentsOf(client: pg.Client, target: TargetTable | undefined): Promise<readonly string[]> {
  return target === undefined ? [] : await findDependents(client, target.oid);
}

function keyOf(load: Load): readonly string[] {
  return load.definition.mode === 'append' || load.reconciles ? [] : load.definition.key;
}

/** Delivers by SQL into the table that is there. */
async function deliver(delivery: Delivery): Promise<Delivered> {
  const { client, load, fence, contract } = delivery;
  if (load.reconciles) return await reconcile(delivery);
  if (delivery.target === undefined) await createTarget(delivery);
  const target = delivery.target ?? (await findTarget(client, load.target));
  if (target === undefined) throw lost(load, 'its target vanished');
  refuseLossy(
    load,
    contract,
    'cast the column in the transform, or drop what hangs on the table and load everything again with --full-refresh',
  );
  await addColumns(client, load, contract, target);
  await widenColumns(client, load, contract, target);
  const ready = { ...delivery, target: (await findTarget(client, load.target)) ?? target };
  if (fence.rebuild) return await rebuild(ready);
  if (load.retries !== undefined && load.definition.mode === 'replace') return await addRetried(ready);
  return await deliverBy[load.definition.mode](ready);
}

type Ready = Delivery & { readonly target: NonNullable<Delivery['target']> };

const deliverBy: Readonly<Record<Load['definition']['mode'], (delivery: Ready) => Promise<Delivered>>> = {
  replace: fill,
  append,
  merge,
  history,
};

/** A full load into a table that can't be swapped: what was there goes, but where a key lets rows stay. */
async function rebuild(delivery: Ready): Promise<Delivered> {
  const { mode } = delivery.load.definition;
  await changeKey(delivery);
  if (mode === 'replace' || mode === 'merge') return await fill(delivery);
  await delivery.client.query(`DELETE FROM ${quoteTable(delivery.load.target)}`);
  return await deliverBy[mode](delivery);
}
