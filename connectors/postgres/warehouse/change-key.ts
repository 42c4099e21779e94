import pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import { quoteIdentifier, quoteTable } from '../sql.ts';
import type { Delivery } from './delivery.ts';
import { isCurrentIndex, place } from './names.ts';
import { extraIndexes, keyColumns, keyDefinition } from './own-columns.ts';
import type { TargetTable } from './target.ts';

type Ready = Delivery & { readonly target: TargetTable };

interface UniqueIndex {
  readonly name: string;
  readonly primary: boolean;
  readonly definition: string;
}

/**
 * Gives a target that is filled anew in place the key that its stream has now, where it has another one of Millrace's; all its rows go.
 * Throws `config` when something hangs on the old key.
 */
export async function changeKey(delivery: Ready): Promise<void> {
  const { client, load, target } = delivery;
  const definition = keyDefinition(load);
  if (definition === undefined || !mayChange(delivery)) return;
  const indexes = await uniqueIndexes(delivery);
  const key = indexes.find((index) => index.primary);
  // A key with another name was made by someone else.
  if (key?.name !== `${load.target.table.slice(0, 58)}_pkey`) return;
  const name = quoteTable(load.target);
  await dropKey(delivery, key.name);
  for (const index of indexes.filter((one) => isCurrentIndex(load.target.table, one.name, one.definition)))
    await client.query(`DROP INDEX ${quoteTable({ schema: load.target.schema, table: index.name })}`);
  await client.query(`DELETE FROM ${name}`);
  const freed = target.key.filter((column) => !keyColumns(load).includes(column));
  for (const column of freed) await client.query(`ALTER TABLE ${name} ALTER COLUMN ${quoteIdentifier(column)} DROP NOT NULL`);
  await client.query(`ALTER TABLE ${name} ADD ${definition}`);
  if (load.definition.mode === 'history') for (const statement of extraIndexes(load, name)) await client.query(statement);
}

function mayChange({ load, target }: Ready): boolean {
  if (load.definition.adopt || target.kind !== 'r' || target.key.length === 0) return false;
  return target.key.toSorted().join('\n') !== keyColumns(load).toSorted().join('\n');
}

async function uniqueIndexes({ client, target }: Ready): Promise<readonly UniqueIndex[]> {
  const { rows } = await client.query<UniqueIndex>(
    `SELECT c.relname::text AS name, i.indisprimary AS primary, pg_catalog.pg_get_indexdef(c.oid) AS definition
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::oid AND i.indisunique`,
    [target.oid],
  );
  return rows;
}

async function dropKey({ client, load, target }: Ready, name: string): Promise<void> {
  try {
    await client.query(`ALTER TABLE ${quoteTable(load.target)} DROP CONSTRAINT ${quoteIdentifier(name)}`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '2BP01') throw error;
    throw new MillraceError(
      'config',
      `${place(load)}: the key is ${load.definition.key.join(', ')} now, and the primary key (${target.key.join(', ')}) of ${load.target.schema}.${load.target.table} can't be replaced: ${error.detail ?? error.message}; drop what hangs on it, then load everything again with: millrace run ${load.pipeline} --full-refresh`,
    );
  }
}
