import type { Column } from '../../../schema/column.ts';
import type { OperationsByChange, SyncOptions } from '../../../schema/sync.ts';
import type { SyncDefinition } from '../../../schema/sync-definition.ts';
import { quoteLiteral } from '../sql.ts';
import { modelSql, type ModelSql } from './model-sql.ts';

/** What a comparison of a model with the ledger needs to know. */
export interface DiffRequest {
  readonly sync: SyncDefinition;
  readonly options: Pick<SyncOptions, 'full' | 'retry' | 'unknown'>;
  readonly operations: OperationsByChange;
  readonly changedOnly: boolean;
  /** The model's query, as it stands in parentheses. */
  readonly sql: string;
  /** The columns of the query. */
  readonly columns: readonly Column[];
  /** What the books hold of the sync. */
  readonly books: BooksState;
  /** Keys are counted over the whole model: it is known that some repeat. Else a key that repeats makes the result useless. */
  readonly counted: boolean;
  /** Only this key. */
  readonly only?: string;
}

export interface BooksState {
  readonly syncNo: number;
  /** Distinguishes the sync from others of the same name in other databases. */
  readonly identity: string;
  readonly ledgerRows: number;
  readonly open: boolean;
  /** Keys were found to repeat the last time. */
  readonly repeated: boolean;
  readonly removed: boolean;
}

/** What a row of the comparison came to; `matched`, `added` and `removed` are rows that need nothing, by their number only. */
export type DiffState = 'planned' | 'invalid' | 'waiting' | 'moved' | 'none' | 'matched' | 'added' | 'removed';

/** The reason of rows whose key is not theirs alone. */
export const repeatedKey = 'its key is in the model more than once';

/** Stands for the key of rows that have none. */
export const noKey = '(no key)';

/**
 * The comparison as one query. Rows that need nothing are counted, not listed. Rows to be planned are numbered by operation and key, what
 * left the model first, and come in that order. `run` wraps the part that runs the model's own SQL.
 */
export function diffSql(request: DiffRequest, run: (query: string, columns: readonly PickColumn[]) => string): string {
  const model = modelSql(request.sync, request.columns);
  const picked = `SELECT * FROM ${run(pickSql(request, model), pickColumns)}`;
  const settled = `SELECT *, ${stateSql(model)} AS state FROM (${sharedSql(request, model, judgeSql(request, picked))}) shared`;
  return resultSql(request, model, settled);
}

/** A column of the rows that need a look. */
export type PickColumn = readonly [name: string, type: string];

const picks: readonly PickColumn[] = [
  ['category', 'text'],
  ['key', 'text'],
  ['hash', 'uuid'],
  ['reason', 'text'],
  ['ledger_hash', 'uuid'],
  ['ledger_at', 'timestamptz'],
  ['remote_id', 'text'],
  ['match', 'text'],
  ['ledger_match', 'text'],
  ['vals', 'text'],
  ['fields', 'bigint[]'],
  ['ledger_fields', 'bigint[]'],
  ['open', 'text'],
  ['open_hash', 'uuid'],
  ['open_next', 'timestamptz'],
  ['open_attempts', 'integer'],
  ['open_key', 'uuid'],
];
const pickColumns: readonly PickColumn[] = [...picks, ['n', 'bigint']];

const ledgerColumns = 'key, hash, at, remote_id, match, fields';
const openColumns = 'key, outcome, hash, next_at, attempts, match, fields, idempotency';

/** Rows that need a look, with the number of all others. */
function pickSql(request: DiffRequest, model: ModelSql): string {
  const { books, only } = request;
  const of = only === undefined ? '' : ` AND key = ${quoteLiteral(only)}`;
  const ledger = `(SELECT ${ledgerColumns} FROM _millrace.ledger_rows WHERE sync_no = ${books.syncNo}${of}) l`;
  const open = `(SELECT ${openColumns} FROM _millrace.sync_open_rows WHERE sync_no = ${books.syncNo}${of}) o`;
  const from = [
    `${model.rows(request.sql, request.counted, only)} m`,
    books.ledgerRows > 0 ? `FULL JOIN ${ledger} ON l.key = m._key` : `LEFT JOIN ${nothingLike(ledgerTypes)} l ON false`,
    books.open ? `FULL JOIN ${open} ON o.key = coalesce(m._key, l.key)` : `LEFT JOIN ${nothingLike(openTypes)} o ON false`,
  ].join('\n');
  const inModel = (expression: string): string => `CASE WHEN m._hash IS NOT NULL THEN ${expression} END`;
  const values = [
    'NULL',
    'coalesce(m._key, l.key, o.key)',
    'm._hash',
    inModel(`coalesce(${model.reason}${request.counted ? `, CASE WHEN m._copies > 1 THEN ${quoteLiteral(repeatedKey)} END` : ''})`),
    'l.hash',
    'l.at',
    'l.remote_id',
    inModel(model.match),
    'coalesce(l.match, o.match)',
    inModel(model.values),
    request.changedOnly ? inModel(model.fields) : 'NULL',
    'l.fields',
    'o.outcome',
    'o.hash',
    'o.next_at',
    'o.attempts',
    'o.idempotency',
  ].map((value, at) => `(${value})::${picks[at]?.[1] ?? 'text'}`);
  const category = `CASE WHEN m._hash IS NULL THEN 'removed' WHEN l.hash IS NULL THEN 'added' ELSE 'matched' END`;
  const pick = pickCondition(request);
  // Nearly all of them need one.
  if (books.ledgerRows === 0 || request.options.full) return `SELECT ${values.join(', ')}, 1::bigint FROM ${from}`;
  // One grouping counts the rows that are left out, and the few that are not pass it: no second look at the model.
  const listed = `ARRAY[${values.map((value) => `${value}::text`).join(', ')}]`;
  // OFFSET '0' (a constant before planning, which OFFSET 0 isn't) keeps the planner from expecting as many groups as rows: then it groups in each of its parallel workers.
  return `SELECT ${picks.map(([, type], at) => `a[${at + 1}]::${type}`).join(', ')}, n FROM (SELECT a, count(*) AS n
FROM (SELECT CASE WHEN ${pick} THEN ${listed} ELSE ARRAY[${category}] END COLLATE "C" AS a FROM ${from} OFFSET '0') listed GROUP BY a) grouped`;
}

const ledgerTypes =
  'NULL::text AS key, NULL::uuid AS hash, NULL::timestamptz AS at, NULL::text AS remote_id, NULL::text AS match, NULL::bigint[] AS fields';
const openTypes =
  'NULL::text AS key, NULL::text AS outcome, NULL::uuid AS hash, NULL::timestamptz AS next_at, NULL::integer AS attempts, NULL::text AS match, NULL::uuid AS idempotency';
const nothingLike = (columns: string): string => `(SELECT ${columns} WHERE false)`;

function pickCondition({ operations, options, counted }: DiffRequest): string {
  const changed = options.full ? 'true' : 'm._hash <> l.hash';
  return [
    'o.key IS NOT NULL',
    ...(counted ? ['m._copies > 1'] : []),
    `CASE WHEN m._hash IS NULL THEN ${operations.removed !== undefined} WHEN l.hash IS NULL THEN ${operations.added !== undefined} ELSE ${operations.changed !== undefined} AND ${changed} END`,
  ].join(' OR ');
}

/** What changed in each row. */
function judgeSql({ options, operations }: DiffRequest, picked: string): string {
  const lost = options.unknown === 'lost' ? ` OR open = 'unknown'` : '';
  const again = `open = 'sent'${lost}`;
  const change = `CASE WHEN hash IS NULL AND (ledger_hash IS NOT NULL OR open = 'sent') THEN 'removed' WHEN hash IS NULL THEN 'gone'
    WHEN ledger_hash IS NULL THEN 'added' WHEN hash <> ledger_hash OR ${options.full} OR coalesce(${again}, false) THEN 'changed' ELSE 'same' END`;
  const waiting = `open = 'rejected' AND NOT ${options.retry || options.full} AND open_next > now() AND open_hash IS NOT DISTINCT FROM hash OR open = 'unknown' AND ${options.unknown !== 'lost'}`;
  const operation = `CASE change ${Object.entries(operations)
    .map(([name, given]) => `WHEN '${name}' THEN '${given}'`)
    .join(' ')} END`;
  return `SELECT *, ${operation} AS operation, reason AS why, coalesce(${waiting}, false) AS waiting
    FROM (SELECT *, ${change} AS change FROM (${picked}) picked) changes`;
}

const candidate = 'category IS NULL AND why IS NULL AND operation IS NOT NULL AND NOT waiting';

/** How many rows have the same match values: of those to be sent, and of those that were acknowledged and stay as they are. */
function sharedSql({ operations, books, only }: DiffRequest, model: ModelSql, judged: string): string {
  if (model.matchIsKey) return `SELECT *, 0 AS sharing FROM (${judged}) judged`;
  const found = operations.removed === undefined ? 'match' : 'coalesce(match, ledger_match)';
  const sending = `count(*) FILTER (WHERE ${candidate} AND hash IS NOT NULL) OVER (PARTITION BY ${found})`;
  if (books.ledgerRows === 0 || only !== undefined) return `SELECT *, ${sending} AS sharing FROM (${judged}) judged`;
  // Whatever the planner expects of the model, none of these is a nested loop, which can't be a FULL JOIN; `coalesce` keeps them FULL. No kept
  // match is without its row of `judged`, so that the last one adds none.
  const held = `SELECT l.key, l.match FROM (SELECT key, match FROM _millrace.ledger_rows WHERE sync_no = ${books.syncNo}) l
    FULL JOIN (SELECT DISTINCT ${found} AS match, true AS wanted FROM judged WHERE ${candidate}) w ON w.match = l.match WHERE coalesce(w.wanted, false)`;
  const kept = `SELECT l.match AS kept_match, count(*) AS kept FROM (${held}) l
    FULL JOIN (SELECT key, true AS leaves FROM judged WHERE hash IS NULL OR ${candidate}) j ON j.key = l.key
    WHERE NOT coalesce(j.leaves, false) GROUP BY 1 HAVING count(l.match) > 0`;
  return `WITH judged AS MATERIALIZED (${judged}) SELECT judged.*, ${sending} + coalesce(kept, 0) AS sharing
    FROM judged FULL JOIN (${kept}) kept ON kept_match = ${found}`;
}

function stateSql(model: ModelSql): string {
  // The object of a row that left the model belongs to another row now: it is not removed.
  const moved = model.matchIsKey ? '' : `WHEN hash IS NULL AND ledger_match IS NOT NULL AND sharing > 0 THEN 'moved'`;
  return `CASE WHEN category IS NOT NULL THEN category WHEN why IS NOT NULL THEN 'invalid' WHEN operation IS NULL THEN 'none'
    WHEN waiting THEN 'waiting' WHEN hash IS NOT NULL AND sharing > 1 THEN 'invalid' ${moved} ELSE 'planned' END`;
}

/** It was acknowledged under another match: the object that was found by that one stays as it is. */
const rematched = `hash IS NOT NULL AND ledger_hash IS NOT NULL AND match <> ledger_match`;

/** The columns of a plan's table. */
function resultSql({ sync, options, books, changedOnly, operations }: DiffRequest, model: ModelSql, settled: string): string {
  const shares = quoteLiteral(`other rows have the same match (${sync.match.map(({ column }) => column).join(', ')})`);
  const removedAt = books.removed
    ? `(SELECT r.at FROM _millrace.sync_removed r WHERE r.sync_no = ${books.syncNo} AND r.key = settled.key AND settled.ledger_hash IS NULL)`
    : 'NULL';
  const made = `md5(concat_ws('|', ${quoteLiteral(books.identity)}, key, hash, ledger_at, ${removedAt}, open_attempts))::uuid`;
  const idempotency = `CASE WHEN open IN ('sent', 'unknown') AND open_hash IS NOT DISTINCT FROM hash THEN coalesce(open_key, ${made}) ELSE ${made} END`;
  const changed = `CASE WHEN hash IS NOT NULL AND ledger_fields IS NOT NULL AND cardinality(fields) = cardinality(ledger_fields)
    AND match IS NOT DISTINCT FROM ledger_match AND coalesce(open, '') NOT IN ('sent', 'unknown') THEN (SELECT array_agg(u.no::integer - 1 ORDER BY u.no)
    FROM unnest(fields, ledger_fields) WITH ORDINALITY u (a, b, no) WHERE u.a IS DISTINCT FROM u.b) END`;
  // To an application two keys may be one (Ada@x, ada@x): what comes under the other is not to be removed after it came.
  const first = operations.removed === undefined ? '' : `change <> 'removed', `;
  const order = `${first}operation, key COLLATE "C"`;
  return `SELECT CASE WHEN state = 'planned' THEN row_number() OVER (PARTITION BY state ORDER BY ${order}) END AS no,
    CASE WHEN category IS NULL THEN coalesce(key, ${quoteLiteral(noKey)}) END COLLATE "C" AS key, state, n,
    CASE WHEN state = 'invalid' THEN coalesce(why, ${shares}) END AS reason, change, operation, hash, fields, coalesce(match, ledger_match) AS match,
    CASE WHEN hash IS NULL AND state = 'planned' THEN ${model.gone('key', 'ledger_match')} ELSE vals END AS vals,
    ${changedOnly && !options.full ? changed : 'NULL::integer[]'} AS changed, remote_id, coalesce(open = 'sent', false) AS sent,
    CASE WHEN state = 'planned' THEN ${idempotency} END AS idempotency, ledger_hash IS NOT NULL AS known, open, ${model.matchIsKey ? 'false' : rematched} AS rematched
    FROM (${settled}) settled ORDER BY state, ${order}`;
}
