import { quoteIdentifier, quoteTable } from '../sql.ts';
import { cleanKeys, cursorOf } from './clean-keys.ts';
import { deleteMissing } from './deletes.ts';
import type { Delivered, Delivery } from './delivery.ts';
import { differs, insertParts, keysMatch } from './rows.ts';

/** Adds a version for each row that is new or differs from the current one, and closes that; an older row changes nothing. */
export async function history(delivery: Delivery): Promise<Delivered> {
  const { client, load, table, shape } = delivery;
  const cleaned = await cleanKeys(delivery);
  const target = quoteTable(load.target);
  const same = keysMatch(load.definition.key, 's', 't');
  const values = delivery.contract.delivered.map((column) => column.name);
  const cursor = cursorOf(delivery);
  const column = cursor === undefined ? '' : quoteIdentifier(cursor);
  const newer = cursor === undefined ? '' : ` AND (s.${column} >= t.${column} OR t.${column} IS NULL)`;
  await client.query(
    `UPDATE ${target} t SET _valid_to = now(), _is_current = false FROM ${table.name} s
     WHERE t._is_current AND ${same}${newer} AND ${differs(values, 't', 's')}`,
  );
  const { into, values: inserted } = insertParts(delivery);
  const { rowCount } = await client.query(
    `INSERT INTO ${into.replace(/\)$/, ', _valid_from, _is_current)')} SELECT ${inserted}, now(), true FROM ${table.name} s
     WHERE NOT EXISTS (SELECT FROM ${target} t WHERE t._is_current AND ${same})`,
  );
  const loaded = rowCount ?? 0;
  const deletes = await deleteMissing(delivery);
  return { loaded, ...cleaned, unchanged: shape.rows - cleaned.rejected - cleaned.duplicates - loaded, ...deletes };
}
