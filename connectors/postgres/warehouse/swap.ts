import pg from 'pg';
import { quoteIdentifier, quoteTable } from '../sql.ts';
import { cleanKeys, type Cleaned } from './clean-keys.ts';
import { copyOf } from './copied.ts';
import { nothing, type Delivered, type Delivery } from './delivery.ts';
import { dropDefaults, extraIndexes, keyDefinition, ownColumns } from './own-columns.ts';
import { loadTableName } from './names.ts';
import { findTarget } from './target.ts';
import { measure, verifyIndexed, verifyRows } from './verify.ts';

/**
 * Makes the load's table the target: our columns and the key are added, then what the old table carries, and only then, for an
 * instant, the old table is locked, dropped and replaced.
 */
export async function swap(delivery: Delivery): Promise<Delivered> {
  const { client, load, table, shape } = delivery;
  await client.query(
    `ALTER TABLE ${table.name} ${ownColumns(load)
      .map((column) => `ADD COLUMN ${column}`)
      .join(', ')}, RESET (autovacuum_enabled)`,
  );
  await client.query(dropDefaults(load, table.name));
  const cleaned = await addKey(delivery);
  const oid = await oldTable(delivery);
  const copied = await copyOf(client, oid, load.target, table.name, `${loadTableName(load.id)}_`);
  for (const statement of [
    ...(delivery.target === undefined || load.definition.mode === 'history' ? extraIndexes(load, table.name) : []),
    ...copied.before,
  ])
    await client.query(statement);
  await takePlace(delivery);
  for (const statement of copied.after) await client.query(statement);
  await nameAnew(delivery);
  return { ...nothing, ...cleaned, loaded: shape.rows - cleaned.rejected - cleaned.duplicates };
}

/** The table to copy from: the target, or for a first load an empty one made in its place, for the schema's default privileges. */
async function oldTable({ client, load, target }: Delivery): Promise<string> {
  if (target !== undefined) return target.oid;
  await client.query(`CREATE TABLE ${quoteTable(load.target)} ()`);
  return (await findTarget(client, load.target))?.oid ?? '0';
}

async function takePlace({ client, load, table }: Delivery): Promise<void> {
  const { schema, table: name } = load.target;
  const moved = quoteTable({ schema, table: loadTableName(load.id) });
  await lockTarget(client, quoteTable(load.target));
  await client.query(`DROP TABLE ${quoteTable(load.target)}`);
  await client.query(`ALTER TABLE ${table.name} SET SCHEMA ${quoteIdentifier(schema)}`);
  await client.query(`ALTER TABLE ${moved} RENAME TO ${quoteIdentifier(name)}`);
  await client.query(`COMMENT ON TABLE ${quoteTable(load.target)} IS NULL`);
}

/** Readers queue behind a lock that waits, so it is let go between tries; what the transaction has built stays. */
async function lockTarget(client: pg.Client, target: string): Promise<void> {
  for (let tries = 3; ; tries--) {
    await client.query('SAVEPOINT target');
    try {
      await client.query(`LOCK TABLE ${target} IN ACCESS EXCLUSIVE MODE`);
      return;
    } catch (error) {
      if (tries === 1 || !(error instanceof pg.DatabaseError) || error.code !== '55P03') throw error;
      await client.query('ROLLBACK TO SAVEPOINT target');
      await client.query('SELECT pg_sleep(0.2)');
    }
  }
}

/** Gives keys, NOT NULL constraints and indexes the names that PostgreSQL would have given them in place. */
async function nameAnew({ client, load }: Delivery): Promise<void> {
  const target = quoteTable(load.target);
  const { rows } = await client.query<{ statement: string }>(
    `WITH names AS (
       SELECT conname::text AS old, format('ALTER TABLE %s RENAME CONSTRAINT %I TO ', $1::text, conname) AS rename FROM pg_catalog.pg_constraint
       WHERE conrelid = $1::regclass AND contype IN ('p', 'n')
       UNION ALL
       SELECT c.relname::text, format('ALTER INDEX %s RENAME TO ', c.oid::regclass) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       WHERE i.indrelid = $1::regclass AND NOT i.indisprimary),
     new AS (SELECT rename, left($2 || substr(old, length($3) + 1), 63) AS name FROM names WHERE starts_with(old, $3))
     SELECT rename || quote_ident(name) AS statement FROM new
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $4 AND c.relname = name)`,
    [target, load.target.table, loadTableName(load.id), load.target.schema],
  );
  for (const row of rows) await client.query(row.statement);
}

/** Adds the key; where rows stand against it they are dealt with first. */
async function addKey(delivery: Delivery): Promise<Cleaned> {
  const { client, load, table } = delivery;
  const definition = keyDefinition(load);
  if (definition === undefined) return { rejected: 0, duplicates: 0 };
  const statement = `ALTER TABLE ${table.name} ADD ${definition}`;
  await client.query('SAVEPOINT key');
  try {
    await client.query(statement);
    await verifyIndexed(client, load, table, delivery.shape.rows);
    return { rejected: 0, duplicates: 0 };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || (error.code !== '23505' && error.code !== '23502')) throw error;
    await client.query('ROLLBACK TO SAVEPOINT key');
    const shape = await measure(client, table, load.definition.key);
    verifyRows(load, delivery.shape.rows, shape.rows);
    const cleaned = await cleanKeys(delivery, shape);
    await client.query(statement);
    return cleaned;
  }
}
