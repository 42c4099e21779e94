import { quoteTable } from '../sql.ts';
import { nothing, type Delivered, type Delivery } from './delivery.ts';
import { columnList, orderColumn } from './names.ts';
import { insertParts, keysMatch } from './rows.ts';

/** True when a stream reads rows back that it may have: those with the same key and cursor are dropped. */
export function readsBack({ load }: Pick<Delivery, 'load'>): boolean {
  const { mode, key, lookBack } = load.definition;
  return mode === 'append' && lookBack !== undefined && key.length > 0;
}

/** Adds the load's rows; those that were read back and are there already are counted as duplicates. */
export async function append(delivery: Delivery): Promise<Delivered> {
  const { client, shape } = delivery;
  const { into, values } = insertParts(delivery);
  const { rowCount } = await client.query(`INSERT INTO ${into} SELECT ${values} FROM ${rowsOf(delivery)} s ${newRows(delivery)}`);
  const loaded = rowCount ?? 0;
  return { ...nothing, loaded, duplicates: shape.rows - loaded };
}

/** The rows of the load; of those that came more than once under a key, the first. */
function rowsOf({ load, table }: Delivery): string {
  if (load.repeats !== true) return table.name;
  const { key } = load.definition;
  const missing = key.map((name) => `${columnList([name])} IS NULL`).join(' OR ');
  const distinct = `${columnList(key)}, CASE WHEN ${missing} THEN ${orderColumn} END`;
  return `(SELECT DISTINCT ON (${distinct}) * FROM ${table.name} ORDER BY ${distinct}, ${orderColumn})`;
}

function newRows({ load }: Delivery): string {
  if (!readsBack({ load })) return '';
  const { key, cursor } = load.definition;
  const moment =
    cursor === undefined || key.includes(cursor)
      ? ''
      : ` AND ${columnList([cursor], 't.')} IS NOT DISTINCT FROM ${columnList([cursor], 's.')}`;
  return `WHERE NOT EXISTS (SELECT FROM ${quoteTable(load.target)} t WHERE ${keysMatch(key, 's', 't')}${moment})`;
}
