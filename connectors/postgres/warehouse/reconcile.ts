import { deleteMissing, marksDeleted } from './deletes.ts';
import { nothing, type Delivered, type Delivery } from './delivery.ts';

/** Marks, closes or removes the target's rows whose keys the source has no longer; touches no other row. */
export async function reconcile(delivery: Delivery): Promise<Delivered> {
  const { load, shape } = delivery;
  const { deleted, notes } = await deleteMissing(delivery);
  const done = load.definition.mode === 'history' ? 'closed' : marksDeleted(delivery) ? 'marked' : 'removed';
  const found = `reconciled: ${shape.rows} keys read, ${deleted} rows that are gone from the source ${done}`;
  return { ...nothing, unchanged: shape.rows, deleted, notes: [found, ...notes] };
}
