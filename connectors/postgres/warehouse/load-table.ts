import type pg from 'pg';
import type { Column } from '../../../schema/column.ts';
import type { Load } from '../../../schema/load.ts';
import { quoteIdentifier, quoteLiteral } from '../sql.ts';
import { sqlType } from '../types.ts';
import { isOwnColumn, loadTable, loadTableName, orderColumn } from './names.ts';
import type { TargetTable } from './target.ts';

/** How a load's table stands in the catalogue. */
export interface LoadTable {
  readonly name: string;
  /** Logged tables become the target by a swap; unlogged ones are delivered from and dropped. */
  readonly logged: boolean;
  readonly ordered: boolean;
  /** Where its files are listed; emptied by a crash together with it. */
  readonly files: string;
}

/** Makes the table of a load that becomes the target itself: the target's columns first, in their order, then new ones. */
export async function createDirectTable(client: pg.Client, load: Load, target: TargetTable | undefined): Promise<void> {
  const delivered = new Map(load.columns.map((column) => [column.name, column]));
  const kept = (target?.columns ?? []).filter((column) => !isOwnColumn(column.name)).map((column) => delivered.get(column.name) ?? column);
  const names = new Set(kept.map((column) => column.name));
  await create(client, load, '', [...kept, ...load.columns.filter((column) => !names.has(column.name))].map(define));
}

/** Makes the unlogged table of a load that is delivered by SQL; with a key it also keeps the order of rows: (file, position). */
export async function createStagedTable(client: pg.Client, load: Load): Promise<void> {
  const ordered = load.definition.key.length > 0 && load.reconciles !== true;
  const sequence = `_millrace.${quoteIdentifier(`${loadTableName(load.id)}_seq`)}`;
  const order = `${orderColumn} bigint DEFAULT (current_setting('millrace.file')::bigint << 40) + nextval(${quoteLiteral(sequence)})`;
  if (ordered) await client.query(`CREATE SEQUENCE IF NOT EXISTS ${sequence} CACHE 1000000`);
  await create(client, load, 'UNLOGGED', [...load.columns.map(define), ...(ordered ? [order] : [])]);
  if (ordered) await client.query(`ALTER SEQUENCE ${sequence} OWNED BY ${loadTable(load.id)}.${orderColumn}`);
}

async function create(client: pg.Client, load: Load, persistence: string, columns: readonly string[]): Promise<void> {
  const table = loadTable(load.id);
  await client.query(`CREATE ${persistence} TABLE IF NOT EXISTS ${table} (${columns.join(', ')}) WITH (autovacuum_enabled = false)`);
  await client.query(`COMMENT ON TABLE ${table} IS ${quoteLiteral(`Load under way: ${load.project}/${load.pipeline}/${load.stream}`)}`);
}

function define(column: Column): string {
  return `${quoteIdentifier(column.name)} ${sqlType(column.type)}`;
}

/** The load's table as it is; undefined when it is gone. */
export async function findLoadTable(client: pg.Client, loadId: string): Promise<LoadTable | undefined> {
  const { rows } = await client.query<{ logged: boolean; ordered: boolean }>(
    `SELECT c.relpersistence = 'p' AS logged, EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $2) AS ordered
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = '_millrace' AND c.relname = $1`,
    [loadTableName(loadId), orderColumn],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  return { name: loadTable(loadId), ...row, files: row.logged ? '_millrace.load_files' : '_millrace.load_files_unlogged' };
}

/** Drops a load's table with the list of its files. */
export async function dropLoadTable(client: pg.Client, loadId: string): Promise<void> {
  await client.query(`DROP TABLE IF EXISTS ${loadTable(loadId)}`);
  await client.query('DELETE FROM _millrace.load_files WHERE load_id = $1', [loadId]);
  await client.query('DELETE FROM _millrace.load_files_unlogged WHERE load_id = $1', [loadId]);
}
