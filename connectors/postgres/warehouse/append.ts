import { nothing, type Delivered, type Delivery } from './delivery.ts';
import { columnList } from './names.ts';
import { insertParts } from './rows.ts';

/** The columns by which an append drops rows that it has: only where it reads back (`look_back`); else every row is new. */
export function appendKey(delivery: Pick<Delivery, 'load'>): readonly string[] {
  const { mode, key, cursor, lookBack } = delivery.load.definition;
  if (mode !== 'append' || lookBack === undefined || key.length === 0) return [];
  return cursor === undefined || key.includes(cursor) ? key : [...key, cursor];
}

/** Adds the load's rows; those that were read back and are there already are counted as duplicates. */
export async function append(delivery: Delivery): Promise<Delivered> {
  const { client, table, shape } = delivery;
  const { into, values } = insertParts(delivery);
  const key = appendKey(delivery);
  const conflict = key.length === 0 ? '' : `ON CONFLICT (${columnList(key)}) DO NOTHING`;
  const { rowCount } = await client.query(`INSERT INTO ${into} SELECT ${values} FROM ${table.name} s ${conflict}`);
  const loaded = rowCount ?? 0;
  return { ...nothing, loaded, duplicates: shape.rows - loaded };
}
