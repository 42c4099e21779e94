import type pg from 'pg';
import type { SyncCounts } from '../../../schema/sync.ts';
import type { Attempt } from '../../connector.ts';
import type { Hold, RecordedRow } from '../../sync-books.ts';
import type { BooksConnection } from './connection.ts';
import { countColumns, countsOf, type CountRow } from './counts.ts';
import { keepHold, type HeldRun } from './hold.ts';
import { planTable } from './names.ts';

/** Outcomes of rows into the books, in one transaction. */
export async function record(books: BooksConnection, given: Hold, rows: readonly RecordedRow[], attempt: Attempt): Promise<SyncCounts> {
  return await books.transaction(attempt, async (client) => {
    const held = await keepHold(client, given);
    const { rows: counts } = await client.query<CountRow>({
      name: `record ${given.run.runId}`,
      text: statement(planTable(given.run)),
      values: parameters(held, rows),
    });
    return countsOf(counts[0]);
  });
}

/** After the first refusal the next run takes the row again; then after a minute, and twice as long each time, up to a day. */
const nextTry = (attempts: string): string =>
  `CASE WHEN excluded.outcome = 'rejected' THEN now() + CASE WHEN ${attempts} < 2 THEN interval '0' ELSE least(interval '1 minute' * power(2, least(${attempts} - 2, 20)), interval '1 day') END END`;

const tries = `CASE WHEN o.hash IS NOT DISTINCT FROM excluded.hash AND o.outcome <> 'invalid' THEN o.attempts + 1 ELSE 1 END`;

/**
 * One statement for everything: rows of the plan by number, without those that are done. `$3` numbers, `$4` which of the outcomes `$6`…`$9` each has,
 * `$5` names in the application, `$11` and `$12` the ranges of the plan that hold them: each is read at one go. Keys to be deleted
 * are arrays: a join would be planned by what was known of the tables when they were smaller.
 */
const statement = (plan: string): string => `WITH fresh AS MATERIALIZED (
  SELECT p.no, p.key, p.change, p.operation, p.hash, p.match, p.fields, p.idempotency, ($6::text[])[g.kind] AS outcome, ($7::text[])[g.kind] AS reason,
    ($8::text[])[g.kind] AS code, ($9::text[])[g.kind] AS request_id, coalesce(g.remote_id, p.remote_id) AS remote_id
  FROM unnest($11::bigint[], $12::bigint[]) range (low, high)
  CROSS JOIN LATERAL (SELECT * FROM ${plan} WHERE no BETWEEN low AND high OFFSET 0) p
  JOIN unnest($3::bigint[], $4::integer[], $5::text[]) g (no, kind, remote_id) ON g.no = p.no
  WHERE NOT p.no <@ $10::int8multirange),
added AS (
  INSERT INTO _millrace.ledger_rows (at, sync_no, hash, key, remote_id, match, fields)
  SELECT now(), $2::integer, hash, key, remote_id, match, fields FROM fresh WHERE outcome = 'acknowledged' AND change = 'added'),
kept AS (
  INSERT INTO _millrace.ledger_rows AS l (at, sync_no, hash, key, remote_id, match, fields)
  SELECT now(), $2, hash, key, remote_id, match, fields FROM fresh WHERE outcome = 'acknowledged' AND change = 'changed'
  ON CONFLICT (sync_no, key) DO UPDATE SET at = excluded.at, hash = excluded.hash, remote_id = coalesce(excluded.remote_id, l.remote_id),
    match = excluded.match, fields = excluded.fields),
gone AS (
  DELETE FROM _millrace.ledger_rows l
  WHERE l.sync_no = $2 AND l.key = ANY (ARRAY(SELECT key FROM fresh WHERE outcome = 'acknowledged' AND change = 'removed'))),
removed AS (
  INSERT INTO _millrace.sync_removed AS r (sync_no, key, at) SELECT $2, key, now() FROM fresh WHERE outcome = 'acknowledged' AND change = 'removed'
  ON CONFLICT (sync_no, key) DO UPDATE SET at = excluded.at),
closed AS (
  DELETE FROM _millrace.sync_open_rows o WHERE o.sync_no = $2 AND o.key = ANY (ARRAY(SELECT key FROM fresh WHERE outcome = 'acknowledged'
    AND EXISTS (SELECT FROM _millrace.sync_open_rows WHERE sync_no = $2)))),
opened AS (
  INSERT INTO _millrace.sync_open_rows AS o (sync_no, key, outcome, change, operation, hash, match, fields, idempotency, reason, code, request_id,
    attempts, run_id, first_at, at, next_at)
  SELECT $2, f.key, f.outcome, f.change, f.operation, f.hash, f.match, f.fields, f.idempotency, f.reason, f.code, f.request_id,
    1, r.run_id, now(), now(), CASE WHEN f.outcome = 'rejected' THEN now() END
  FROM fresh f, _millrace.sync_runs r WHERE r.run_no = $1 AND f.outcome <> 'acknowledged'
  ON CONFLICT (sync_no, key) DO UPDATE SET outcome = excluded.outcome, change = excluded.change, operation = excluded.operation, hash = excluded.hash,
    match = excluded.match, fields = excluded.fields, idempotency = excluded.idempotency, reason = excluded.reason, code = excluded.code,
    request_id = excluded.request_id, attempts = ${tries}, run_id = excluded.run_id, at = excluded.at, next_at = ${nextTry(tries)}),
logged AS (
  INSERT INTO _millrace.sync_log_rows (at, run_no, sync_no, key, operation, outcome, reason, request_id)
  SELECT now(), $1::integer, $2, key, operation, outcome, reason, request_id FROM fresh),
tally AS (
  SELECT count(*) AS sent, count(*) FILTER (WHERE outcome = 'acknowledged') AS acknowledged, count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
    count(*) FILTER (WHERE outcome = 'unknown') AS unknown, coalesce(range_agg(int8range(no, no + 1)), '{}') AS done FROM fresh)
UPDATE _millrace.sync_runs r SET done = r.done + t.done, sent = r.sent + t.sent, acknowledged = r.acknowledged + t.acknowledged,
  rejected = r.rejected + t.rejected, unknown = r.unknown + t.unknown
FROM tally t WHERE r.run_no = $1 RETURNING ${countColumns('r.')}`;

/** Rows as few arrays: most of them share their outcome with others. */
function parameters(held: HeldRun, given: readonly RecordedRow[]): unknown[] {
  const chosen = new Map<number, RecordedRow>();
  for (const row of given) if (!chosen.has(row.no)) chosen.set(row.no, row);
  const rows = [...chosen.values()].toSorted((one, other) => one.no - other.no);
  const { kinds, numbers } = kindsOf(rows);
  const ranges = rangesOf(rows);
  return [
    held.runNo,
    held.syncNo,
    `{${rows.map(({ no }) => no).join(',')}}`,
    `{${numbers.join(',')}}`,
    rows.some(({ remoteId }) => remoteId !== undefined) ? `{${rows.map(({ remoteId }) => element(remoteId)).join(',')}}` : null,
    kinds.map((row) => row.outcome),
    kinds.map((row) => text(row.reason)),
    kinds.map((row) => text(row.code)),
    kinds.map((row) => text(row.requestId)),
    held.done,
    `{${ranges.map(({ low }) => low).join(',')}}`,
    `{${ranges.map(({ high }) => high).join(',')}}`,
  ];
}

const isLike = (one: RecordedRow | undefined, other: RecordedRow): boolean =>
  one?.outcome === other.outcome && one.reason === other.reason && one.code === other.code && one.requestId === other.requestId;

/** Rows that stand for all that are like them, and for each row the number of its like, from 1. Neighbours mostly are like each other. */
function kindsOf(rows: readonly RecordedRow[]): { readonly kinds: readonly RecordedRow[]; readonly numbers: readonly number[] } {
  const known = new Map<string, number>();
  const kinds: RecordedRow[] = [];
  let number = 0;
  const numbers = rows.map((row) => {
    if (isLike(kinds[number - 1], row)) return number;
    const name = JSON.stringify([row.outcome, row.reason, row.code, row.requestId]);
    number = known.get(name) ?? kinds.push(row);
    known.set(name, number);
    return number;
  });
  return { kinds, numbers };
}

/** Numbers of the plan that lie between rows are read with them, up to so many. */
const near = 100;

/** Ranges that hold all rows, both ends inclusive; the rows come in order. */
function rangesOf(rows: readonly RecordedRow[]): readonly { readonly low: number; readonly high: number }[] {
  const ranges: { readonly low: number; high: number }[] = [];
  for (const { no } of rows) {
    const last = ranges.at(-1);
    if (last !== undefined && no - last.high <= near) last.high = no;
    else ranges.push({ low: no, high: no });
  }
  return ranges;
}

/** A text as PostgreSQL writes it in an array; the driver's own way is slow. */
function element(given: string | undefined): string {
  if (given === undefined) return 'NULL';
  return /[\\"\0]/.test(given) ? `"${given.replaceAll('\0', '').replaceAll(/[\\"]/g, String.raw`\$&`)}"` : `"${given}"`;
}

/** What applications say may hold a character that PostgreSQL doesn't store. */
function text(given: string | undefined): string | null {
  return given === undefined ? null : given.replaceAll('\0', '');
}

/** Notes rows as sent before they are. */
export async function mark(books: BooksConnection, given: Hold, nos: readonly number[], attempt: Attempt): Promise<void> {
  await books.transaction(attempt, async (client: pg.Client) => {
    const held = await keepHold(client, given);
    await client.query({
      name: `mark ${given.run.runId}`,
      text: `INSERT INTO _millrace.sync_open_rows AS o (sync_no, key, outcome, change, operation, hash, match, fields, idempotency, attempts, run_id, first_at, at)
        SELECT $1::integer, key, 'sent', change, operation, hash, match, fields, idempotency, 0, $2::uuid, now(), now()
        FROM ${planTable(given.run)} WHERE no = ANY ($3::bigint[]) AND NOT no <@ $4::int8multirange
        ON CONFLICT (sync_no, key) DO UPDATE SET outcome = 'sent', change = excluded.change, operation = excluded.operation, hash = excluded.hash,
          match = excluded.match, fields = excluded.fields, idempotency = excluded.idempotency,
          run_id = excluded.run_id, at = excluded.at, next_at = NULL`,
      values: [held.syncNo, given.run.runId, `{${nos.join(',')}}`, held.done],
    });
  });
}

/** Takes the note back: a row that was refused before is open for that again. */
export async function unmark(books: BooksConnection, given: Hold, nos: readonly number[], attempt: Attempt): Promise<void> {
  await books.transaction(attempt, async (client: pg.Client) => {
    const held = await keepHold(client, given);
    const marked = `o.sync_no = $1 AND o.outcome = 'sent' AND o.key IN (SELECT p.key FROM ${planTable(given.run)} p WHERE p.no = ANY ($2::bigint[]))`;
    const values = [held.syncNo, `{${nos.join(',')}}`];
    await client.query(`DELETE FROM _millrace.sync_open_rows o WHERE ${marked} AND o.attempts = 0`, values);
    await client.query(`UPDATE _millrace.sync_open_rows o SET outcome = 'rejected', next_at = now() WHERE ${marked}`, values);
  });
}
