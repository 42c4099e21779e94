import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Load, Manifest } from '../../../schema/load.ts';
import type { LoadTable } from './load-table.ts';
import { columnList, place } from './names.ts';

/** What a load's table holds. `distinct` counts the keys that are complete; without a key every row is one. */
export interface Shape {
  readonly rows: number;
  readonly nullKeys: number;
  readonly distinct: number;
}

/** Checks that all files of the manifest are in the load's table, and that the table has their rows. Throws `staging-lost`. */
export async function verifyFiles(client: pg.Client, load: Load, table: LoadTable | undefined, manifest: Manifest): Promise<LoadTable> {
  if (table === undefined) throw lost(load, 'its table in the warehouse is gone');
  const { rows } = await client.query<{ file_no: number; rows: string; sha256: string }>(
    `SELECT file_no, rows, sha256 FROM ${table.files} WHERE load_id = $1`,
    [load.id],
  );
  const loaded = new Map(rows.map((row) => [row.file_no, row]));
  const missing = manifest.files.filter((file) => {
    const found = loaded.get(file.no);
    return found === undefined || Number(found.rows) !== file.rows || found.sha256 !== file.sha256;
  });
  if (missing.length > 0)
    throw lost(load, `${missing.length} of ${manifest.files.length} files are not in its table (first: file ${missing[0]?.no})`);
  return table;
}

/** Throws `staging-lost` when the load's table doesn't have the rows of the manifest: a crash of the server empties unlogged tables. */
export function verifyRows(load: Load, expected: number, rows: number): void {
  if (rows !== expected) throw lost(load, `its table has ${rows} rows and ${expected} were loaded`);
}

/** What the manifest says; a key's index counts the rows when it is built, and finds keys that repeat. */
export function shapeOf(manifest: Manifest): Shape {
  const rows = manifest.files.reduce((sum, file) => sum + file.rows, 0);
  return { rows, nullKeys: 0, distinct: rows };
}

/** Throws `staging-lost` when the rows that the key's index was just built from aren't the manifest's; the catalogue has them as a 4-byte float. */
export async function verifyIndexed(client: pg.Client, load: Load, table: LoadTable, expected: number): Promise<void> {
  const { rows } = await client.query<{ rows: string }>('SELECT reltuples AS rows FROM pg_catalog.pg_class WHERE oid = $1::regclass', [
    table.name,
  ]);
  // An empty table has -1: never counted.
  const found = Math.max(0, Number(rows[0]?.rows));
  if (Math.fround(found) !== Math.fround(expected)) verifyRows(load, expected, found);
}

/** Counts the rows of a load's table, and its keys when `key` isn't empty. */
export async function measure(client: pg.Client, table: LoadTable, key: readonly string[]): Promise<Shape> {
  if (key.length === 0) {
    const { rows } = await client.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${table.name}`);
    const all = Number(rows[0]?.rows);
    return { rows: all, nullKeys: 0, distinct: all };
  }
  const isNull = key.map((_, at) => `k${at} IS NULL`).join(' OR ');
  const names = key.map((name, at) => `${columnList([name])} AS k${at}`).join(', ');
  const { rows } = await client.query<{ rows: string; nulls: string; distinct: string }>(
    `SELECT coalesce(sum(n), 0) AS rows, coalesce(sum(n) FILTER (WHERE ${isNull}), 0) AS nulls, count(*) FILTER (WHERE NOT (${isNull})) AS distinct
     FROM (SELECT ${names}, count(*) AS n FROM ${table.name} GROUP BY ${columnList(key)}) keys`,
  );
  return { rows: Number(rows[0]?.rows), nullKeys: Number(rows[0]?.nulls), distinct: Number(rows[0]?.distinct) };
}

/** The failure after which the workflow loads all files again. */
export function lost(load: Load, why: string): MillraceError {
  return new MillraceError(
    'staging-lost',
    `${place(load)}: load ${load.id} is not complete in the warehouse: ${why}; its files are loaded again`,
  );
}
