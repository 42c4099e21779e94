import { quoteIdentifier, quoteTable } from '../sql.ts';
import { sqlType } from '../types.ts';
import { cleanKeys } from './clean-keys.ts';
import { nothing, type Delivered, type Delivery } from './delivery.ts';
import { columnList, isOwnColumn, loadedAtColumn, loadIdColumn } from './names.ts';
import { dropDefaults, extraIndexes, keyDefinition, ownColumns } from './own-columns.ts';
import { assignments, differs, insertParts, keysMatch } from './rows.ts';
import { hasUniqueIndex, type TargetTable } from './target.ts';

/** Makes an empty target with the delivered columns, our own and the key. */
export async function createTarget(delivery: Omit<Delivery, 'target'>): Promise<void> {
  const { client, load } = delivery;
  const target = quoteTable(load.target);
  const columns = delivery.contract.delivered.map((column) => `${quoteIdentifier(column.name)} ${sqlType(column.type)}`);
  const key = keyDefinition(load);
  await client.query(`CREATE TABLE ${target} (${[...columns, ...ownColumns(load), ...(key === undefined ? [] : [key])].join(', ')})`);
  await client.query(dropDefaults(load, target));
  for (const statement of extraIndexes(load, target)) await client.query(statement);
}

/**
 * Makes the target equal to the load without a new table, so that all that hangs on it survives and readers are never blocked. With a
 * unique key only rows that differ are touched, which also keeps foreign keys that point here; without one all rows are replaced.
 */
export async function fill(delivery: Delivery & { readonly target: TargetTable }): Promise<Delivered> {
  const { client, load, table, shape } = delivery;
  const cleaned = await cleanKeys(delivery);
  const rows = shape.rows - cleaned.rejected - cleaned.duplicates;
  const target = quoteTable(load.target);
  const { into, values } = insertParts(delivery);
  const { key } = load.definition;
  const keyed = key.length > 0 && !(await hasRules(delivery)) && (await hasUniqueIndex(client, delivery.target.oid, key));
  const gone = keyed ? `WHERE NOT EXISTS (SELECT FROM ${table.name} s WHERE ${keysMatch(key, 's', 't')})` : '';
  await client.query(`DELETE FROM ${target} t ${gone}`);
  const conflict = keyed ? `ON CONFLICT (${columnList(key)}) ${update(delivery)}` : '';
  const { rowCount } = await client.query(`INSERT INTO ${into} SELECT ${values} FROM ${table.name} s ${conflict}`);
  return { ...nothing, ...cleaned, loaded: rowCount ?? 0, unchanged: rows - (rowCount ?? 0) };
}

function update({ load, target }: Delivery & { readonly target: TargetTable }): string {
  const { key } = load.definition;
  const values = target.columns.filter((column) => !column.generated && !isOwnColumn(column.name)).map((column) => column.name);
  const others = values.filter((name) => !key.includes(name));
  if (others.length === 0) return 'DO NOTHING';
  return `DO UPDATE SET ${assignments([...others, loadIdColumn, loadedAtColumn])} WHERE ${differs(others, 't', 'excluded')}`;
}

/** Tables with rules refuse `ON CONFLICT`. */
async function hasRules({ client, target }: Delivery & { readonly target: TargetTable }): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM pg_catalog.pg_class WHERE oid = $1::oid AND relhasrules', [target.oid]);
  return rows.length > 0;
}
