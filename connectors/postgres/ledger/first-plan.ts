import type pg from 'pg';
import { quoteLiteral } from '../sql.ts';
import { noKey, type DiffRequest, type PickColumn } from './diff.ts';
import { modelSql } from './model-sql.ts';
import { totalsOf, type PlanTotals } from './totals.ts';

/** The books know nothing of the sync, and each row is found by its key: the model alone says what is to be sent. */
export function isFirst({ sync, books, counted, operations }: DiffRequest): boolean {
  const keys = JSON.stringify(sync.match.map(({ column }) => column)) === JSON.stringify(sync.model.key);
  return books.ledgerRows === 0 && !books.open && !books.removed && !counted && keys && operations.added !== undefined;
}

const columns: readonly PickColumn[] = [
  ['key', 'text'],
  ['hash', 'uuid'],
  ['reason', 'text'],
  ['fields', 'bigint[]'],
  ['vals', 'text'],
  ['idempotency', 'uuid'],
  ['twice', 'boolean'],
];

/**
 * What `diffSql` comes to for a first plan, with `twice` where a key is that of the row before. Parallel workers sort, and make what is costly of each
 * row once, before that (OFFSET '0' keeps it where it is written).
 */
export function firstSql(request: DiffRequest): string {
  const { sync, books, changedOnly, operations } = request;
  const model = modelSql(sync, request.columns);
  const made = `md5(concat_ws('|', ${quoteLiteral(books.identity)}, _key, _hash))::uuid`;
  const rows = `SELECT _key, _hash, ${model.reason} AS reason, ${changedOnly ? model.fields : 'NULL::bigint[]'} AS fields, ${model.values} AS vals, ${made} AS made
    FROM (SELECT * FROM ${model.rows(request.sql, false)} m OFFSET '0') m`;
  const sorted = `SELECT _key, _hash, reason, fields, vals, made, _key = lag(_key) OVER (ORDER BY _key) FROM (${rows} OFFSET '0') m ORDER BY _key`;
  const types = columns.map((column) => column.join(' ')).join(', ');
  const names = columns.map(([name]) => name).join(', ');
  const planned = (value: string): string => `CASE WHEN reason IS NULL THEN ${value} END`;
  // Rows without a key come last: those before them are numbered without a gap.
  return `SELECT ${planned('ordinal')} AS no, coalesce(key, ${quoteLiteral(noKey)}) COLLATE "C" AS key,
    CASE WHEN reason IS NULL THEN 'planned' ELSE 'invalid' END AS state, 1::bigint AS n, reason, 'added'::text AS change,
    ${quoteLiteral(operations.added ?? '')}::text AS operation, hash, fields, NULL::text AS match, vals, NULL::integer[] AS changed, NULL::text AS remote_id,
    false AS sent, ${planned('idempotency')} AS idempotency, false AS known, NULL::text AS open, false AS rematched, twice
    FROM ROWS FROM (_millrace.read_only(${quoteLiteral(sorted)}) AS (${types})) WITH ORDINALITY AS picks (${names}, ordinal)`;
}

/** Counts the rows of a first plan; undefined when a key repeats. */
export async function countFirst(client: pg.Client, table: string, { operations }: DiffRequest): Promise<PlanTotals | undefined> {
  const { rows } = await client.query<{ all: string; planned: string; twice: boolean | null }>(
    `SELECT count(*) AS all, count(no) AS planned, bool_or(twice) AS twice FROM ${table}`,
  );
  const { all = '0', planned = '0', twice = false } = rows[0] ?? {};
  if (twice === true) return undefined;
  const row = { operation: operations.added ?? null, in_model: true, known: false, again: false, rematched: false };
  return totalsOf([
    { ...row, state: 'planned', rows: planned },
    { ...row, state: 'invalid', rows: String(Number(all) - Number(planned)) },
  ]);
}
