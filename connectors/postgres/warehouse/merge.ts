import { quoteIdentifier } from '../sql.ts';
import { cleanKeys, cursorOf } from './clean-keys.ts';
import { deleteMissing, marksDeleted } from './deletes.ts';
import type { Delivered, Delivery } from './delivery.ts';
import { columnList, deletedAtColumn, loadedAtColumn, loadIdColumn } from './names.ts';
import { assignments, differs, insertParts } from './rows.ts';

/** Brings the load's rows in by key: an older row never replaces a newer one, and a row that is equal stays as it is. */
export async function merge(delivery: Delivery): Promise<Delivered> {
  const { client, load, table, shape } = delivery;
  const cleaned = await cleanKeys(delivery);
  const { into, values } = insertParts(delivery);
  const { rowCount } = await client.query(
    `INSERT INTO ${into} SELECT ${values} FROM ${table.name} s ON CONFLICT (${columnList(load.definition.key)}) ${onConflict(delivery)}`,
  );
  const loaded = rowCount ?? 0;
  const deletes = await deleteMissing(delivery);
  return {
    loaded,
    ...cleaned,
    unchanged: shape.rows - cleaned.rejected - cleaned.duplicates - loaded,
    ...deletes,
  };
}

function onConflict(delivery: Delivery): string {
  const { key } = delivery.load.definition;
  const values = delivery.contract.delivered.map((column) => column.name).filter((name) => !key.includes(name));
  const marks = marksDeleted(delivery);
  if (values.length === 0 && !marks) return 'DO NOTHING';
  const set = assignments([...values, loadIdColumn, loadedAtColumn]);
  const changed = values.length === 0 ? 'false' : differs(values, 't', 'excluded');
  const cursor = cursorOf(delivery);
  const column = cursor === undefined ? '' : quoteIdentifier(cursor);
  const newer = cursor === undefined ? '' : `(excluded.${column} >= t.${column} OR t.${column} IS NULL) AND `;
  const back = marks ? ` OR t.${deletedAtColumn} IS NOT NULL` : '';
  return `DO UPDATE SET ${set}${marks ? `, ${deletedAtColumn} = NULL` : ''} WHERE ${newer}(${changed}${back})`;
}
