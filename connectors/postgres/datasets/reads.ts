import type pg from 'pg';
import type { DatasetShape, DatasetSource } from '../../../schema/dataset.ts';
import { fromSql } from './dataset-sql.ts';

interface PlanRow {
  readonly 'QUERY PLAN': string;
}

interface ReadsRow {
  readonly reads: readonly string[] | null;
  readonly rows: number;
}

/**
 * The tables in a plan, and what they are partitions of or inherit from; none where it calls a function that may read anything, or reads
 * from elsewhere.
 */
const reads = `WITH RECURSIVE node AS (
  SELECT node FROM jsonb_path_query($1::text::jsonb, 'strict $.**') node WHERE jsonb_typeof(node) = 'object'),
named AS (
  SELECT DISTINCT c.oid FROM node JOIN pg_namespace n ON n.nspname = node ->> 'Schema'
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = node ->> 'Relation Name'),
relation AS (
  SELECT oid FROM named UNION SELECT i.inhparent FROM relation r JOIN pg_inherits i ON i.inhrelid = r.oid),
hidden AS (SELECT EXISTS (SELECT FROM node WHERE node ->> 'Node Type' IN ('Foreign Scan', 'Custom Scan')) OR EXISTS (
  SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.provolatile <> 'i' AND p.prokind IN ('f', 'a', 'w')
    AND (strpos($1, p.proname || '(') > 0 OR strpos($1, p.proname || '\\"(') > 0)) AS hidden)
SELECT (SELECT array_agg(DISTINCT n.nspname || '.' || c.relname) FROM relation r JOIN pg_class c ON c.oid = r.oid
    JOIN pg_namespace n ON n.oid = c.relnamespace, hidden WHERE NOT hidden) AS reads,
  ($1::text::jsonb #>> '{0,Plan,Plan Rows}')::float8 AS rows`;

/** What a dataset reads and about how many rows it has, by its plan. */
export async function readsOf(client: pg.Client, source: DatasetSource): Promise<Pick<DatasetShape, 'reads' | 'rows'>> {
  const plan = await client.query<PlanRow>(`EXPLAIN (FORMAT JSON, VERBOSE) SELECT * FROM ${fromSql(source)}`);
  const text = plan.rows.map((row) => row['QUERY PLAN']).join('');
  const { rows } = await client.query<ReadsRow>(reads, [text]);
  const found = rows[0]?.reads ?? [];
  const own = source.kind === 'table' && found.length > 0 ? [`${source.schema}.${source.table}`] : [];
  return { reads: [...new Set([...own, ...found])], rows: rows[0]?.rows ?? 0 };
}
