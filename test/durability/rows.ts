import assert from 'node:assert/strict';
import type { StreamDefinition } from '../../schema/definition.ts';
import { sql } from '../pipeline-kit.ts';
import { until } from '../workflows/until.ts';

export type Mode = StreamDefinition['mode'];

const columns = ['id', 'name', 'amount', 'note', 'at'] as const;
const rows = (from: number, to: number, at: string): string =>
  `SELECT i, 'name ' || i, i / 7.0, repeat('"quoted", ', i % 9) || i, ${at} FROM generate_series(${from}, ${to}) i`;

/** Makes a table of a source, with 4000 rows. */
export async function makeTable(source: string, table: string): Promise<void> {
  await sql(
    source,
    `CREATE TABLE ${table} (id bigint PRIMARY KEY, name text, amount numeric(20,6), note text, at timestamptz NOT NULL);
     INSERT INTO ${table} ${rows(1, 4000, "now() - interval '1 hour' + i * interval '1 millisecond'")}; ANALYZE ${table}`,
  );
}

/** Changes a table: new rows, and, where the mode can follow, changed and deleted ones. They are old enough to be read at once. */
export async function changeTable(source: string, table: string, mode: Mode): Promise<void> {
  await sql(source, `INSERT INTO ${table} ${rows(4001, 7000, 'clock_timestamp()')}`);
  if (mode !== 'append') await sql(source, `UPDATE ${table} SET name = NULL, note = '', at = clock_timestamp() WHERE id % 10 = 0`);
  if (mode === 'replace' || mode === 'history') await sql(source, `DELETE FROM ${table} WHERE id % 100 = 1`);
  await sql(source, `ANALYZE ${table}`);
  const isOld = `SELECT now() > max(at) + interval '1100 milliseconds' AS old FROM ${table}`;
  if (mode === 'append') await until(async () => (await sql(source, isOld))[0]?.['old'] === 't', 'rows below the bound');
}

/** How a mode reads the table. */
export function definitionOf(mode: Mode): Partial<StreamDefinition> {
  if (mode === 'replace') return { mode };
  if (mode === 'history') return { mode, key: ['id'], deletes: 'mark' };
  return { mode, cursor: 'at', key: mode === 'merge' ? ['id'] : [] };
}

/** A checksum of each column that hangs on which row holds which value; of the rows too, so that one that is doubled shows. */
async function checksum(url: string, from: string): Promise<Record<string, string | null> | undefined> {
  const sums = columns.map((name) => `sum(hashtextextended(id || '/' || coalesce(${name}::text, chr(1)), 0)::numeric) AS ${name}`);
  const [found] = await sql(url, `SELECT count(*) AS rows, count(DISTINCT id) AS ids, ${sums.join(', ')} FROM ${from}`);
  return found;
}

/** Asserts that a target holds what its source holds, column by column; of a history, that it holds it now and that its versions make sense. */
export async function assertSame(source: string, warehouse: string, table: string, mode: Mode): Promise<void> {
  const target = `landed.${table}`;
  const current = mode === 'history' ? `${target} WHERE _is_current` : target;
  assert.deepEqual(await checksum(warehouse, current), await checksum(source, table), `${target} equals its source`);
  if (mode !== 'history') return;
  const [wrong] = await sql(
    warehouse,
    `SELECT count(*) FROM (SELECT id, _valid_from, _valid_to, _is_current, lead(_valid_from) OVER (PARTITION BY id ORDER BY _valid_from) AS next FROM ${target}) v
     WHERE _is_current <> (_valid_to IS NULL) OR next < coalesce(_valid_to, 'infinity')`,
  );
  assert.deepEqual(wrong, { count: '0' }, `versions of ${target} follow each other`);
}

/** Number of versions in a history. */
export async function versions(warehouse: string, table: string): Promise<number> {
  const [row] = await sql(warehouse, `SELECT count(*) FROM landed.${table}`);
  return Number(row?.['count']);
}
