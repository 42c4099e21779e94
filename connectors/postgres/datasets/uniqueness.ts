import type pg from 'pg';
import type { DatasetSource } from '../../../schema/dataset.ts';
import type { KeyCount } from '../../datasets.ts';
import type { Session } from '../session.ts';
import { quoteIdentifier } from '../sql.ts';
import { fromSql } from './dataset-sql.ts';

/** Columns of each index that keeps all rows apart: complete, without expressions, and where NULL can't be. */
const indexes = `SELECT (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = i.indrelid AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1])) AS columns
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
    AND i.indexprs IS NULL AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND NOT a.attnotnull
      AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]))`;

/** Columns of which the warehouse proves that no two rows have them equal. */
export async function uniqueColumns(client: pg.Client, source: DatasetSource): Promise<readonly (readonly string[])[]> {
  if (source.kind !== 'table') return [];
  const { rows } = await client.query<{ columns: string[] | null }>(indexes, [source.schema, source.table]);
  return rows.flatMap(({ columns }) => (columns === null ? [] : [columns]));
}

interface CountRow {
  readonly rows: string;
  readonly empty: string;
  readonly repeated: string;
}

/** Reads the whole dataset. */
export async function countKey(session: Session, source: DatasetSource, key: readonly string[]): Promise<KeyCount> {
  const columns = key.map(quoteIdentifier);
  const isEmpty = columns.map((column) => `${column} IS NULL`).join(' OR ');
  const [row] = await session.query<CountRow>(`SELECT coalesce(sum(rows), 0)::text AS rows,
    coalesce(sum(rows) FILTER (WHERE empty), 0)::text AS empty, coalesce(sum(rows) FILTER (WHERE rows > 1 AND NOT empty), 0)::text AS repeated
    FROM (SELECT count(*) AS rows, ${isEmpty} AS empty FROM ${fromSql(source)} GROUP BY ${columns.join(', ')}) AS groups`);
  return { rows: Number(row?.rows ?? 0), empty: Number(row?.empty ?? 0), repeated: Number(row?.repeated ?? 0) };
}
