import { createHash, randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Attempt } from '../../connector.ts';
import { connect } from '../session.ts';
import { bareQuery, queryFailed } from './model-query.ts';
import type { WarehouseContext } from './open.ts';

/**
 * A text that changes after each commit to what the query reads: the plan with the relations in it, and for each of them the identity of
 * its storage and the counters of rows written. The server counts a commit up to a minute late, when the writer is busy or idle; the
 * pulse changes then.
 */
export async function pulse(context: WarehouseContext, sql: string, attempt: Attempt): Promise<string> {
  const what = `connection ${context.name}`;
  await using session = await connect(context.settings, attempt, { readOnly: true, what });
  return await session.run(async (client) => {
    // The locks that EXPLAIN takes keep the relations in their places until their counters are read.
    await client.query('BEGIN READ ONLY');
    await client.query('SET LOCAL search_path = public');
    const text = await planOf(client, sql, what);
    const facts = isOpaque(text) ? randomUUID() : await countersOf(client, text);
    await client.query('ROLLBACK');
    return createHash('sha256').update(text).update('\0').update(facts).digest('hex');
  });
}

interface ExplainRow {
  readonly 'QUERY PLAN': string;
}

async function planOf(client: pg.Client, sql: string, what: string): Promise<string> {
  try {
    const { rows } = await client.query<ExplainRow>({
      name: 'pulse',
      text: `EXPLAIN (FORMAT JSON, VERBOSE, COSTS OFF) ${bareQuery(sql)}`,
    });
    return rows.map((row) => row['QUERY PLAN']).join('');
  } catch (error) {
    throw queryFailed(error, what);
  }
}

/** Nothing is known here of what foreign servers and other access methods read. */
function isOpaque(plan: string): boolean {
  return /"Node Type": "(Foreign|Custom) Scan"/.test(plan);
}

/** Every relation that the plan names; where it calls a function that may read anything, all tables but our own. */
const counters = `WITH named AS (
  SELECT DISTINCT node ->> 'Schema' AS schema, node ->> 'Relation Name' AS name
  FROM jsonb_path_query($1::text::jsonb, 'strict $.**') node WHERE jsonb_typeof(node) = 'object' AND node ? 'Relation Name'),
calls AS (SELECT EXISTS (
  SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.provolatile <> 'i' AND p.prokind IN ('f', 'a', 'w')
    AND (strpos($1, p.proname || '(') > 0 OR strpos($1, p.proname || '\\"(') > 0)) AS hidden),
relation AS (
  SELECT c.oid, c.relfilenode, c.xmin FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, calls
  WHERE (n.nspname, c.relname) IN (SELECT schema, name FROM named)
    OR calls.hidden AND c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', '_millrace', 'pg_toast'))
SELECT concat_ws(' ', pg_catalog.pg_postmaster_start_time(),
  CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()::text END,
  CASE WHEN current_setting('track_counts') = 'off' THEN gen_random_uuid()::text END,
  (SELECT stats_reset FROM pg_catalog.pg_stat_database WHERE datname = current_database()),
  CASE WHEN $1 ~ $2 THEN date_trunc('minute', now()) END,
  (SELECT string_agg(concat_ws(':', oid, relfilenode, xmin, pg_catalog.pg_stat_get_tuples_inserted(oid),
    pg_catalog.pg_stat_get_tuples_updated(oid), pg_catalog.pg_stat_get_tuples_deleted(oid)), ' ' ORDER BY oid) FROM relation)) AS facts`;

/** Queries that ask for the time change with it; once a minute is enough. */
const clock = String.raw`\y(now\(\)|(statement|clock|transaction)_timestamp\(\)|CURRENT_(DATE|TIME|TIMESTAMP)|LOCALTIME(STAMP)?|random\(\))`;

async function countersOf(client: pg.Client, plan: string): Promise<string> {
  const { rows } = await client.query<{ facts: string }>(counters, [plan, clock]);
  return rows[0]?.facts ?? randomUUID();
}
