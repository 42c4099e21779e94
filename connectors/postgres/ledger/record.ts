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
 * `$5` names in the application.
 */
const statement = (plan: string): string => `WITH fresh AS MATERIALIZED (
  SELECT p.no, p.key, p.change, p.operation, p.hash, p.match, p.fields, p.idempotency, k.outcome, k.reason, k.code, k.request_id,
    coalesce(g.remote_id, p.remote_id) AS remote_id
  FROM unnest($3::bigint[], $4::integer[], $5::text[]) g (no, kind, remote_id)
  JOIN unnest($6::text[], $7::text[], $8::text[], $9::text[]) WITH ORDINALITY k (outcome, reason, code, request_id, kind) ON k.kind = g.kind
  JOIN ${plan} p ON p.no = g.no AND p.no BETWEEN $11 AND $12
  WHERE NOT p.no <@ $10::int8multirange),
kept AS (
  INSERT INTO _millrace.ledger_rows AS l (at, sync_no, hash, key, remote_id, match, fields)
  SELECT now(), $2::integer, hash, key, remote_id, match, fields FROM fresh WHERE outcome = 'acknowledged' AND change <> 'removed'
  ON CONFLICT (sync_no, key) DO UPDATE SET at = excluded.at, hash = excluded.hash, remote_id = coalesce(excluded.remote_id, l.remote_id),
    match = excluded.match, fields = excluded.fields),
gone AS (
  DELETE FROM _millrace.ledger_rows l USING fresh f
  WHERE l.sync_no = $2 AND l.key = f.key AND f.outcome = 'acknowledged' AND f.change = 'removed'),
removed AS (
  INSERT INTO _millrace.sync_removed AS r (sync_no, key, at) SELECT $2, key, now() FROM fresh WHERE outcome = 'acknowledged' AND change = 'removed'
  ON CONFLICT (sync_no, key) DO UPDATE SET at = excluded.at),
closed AS (
  DELETE FROM _millrace.sync_open_rows o USING fresh f WHERE o.sync_no = $2 AND o.key = f.key AND f.outcome = 'acknowledged'),
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
function parameters(held: HeldRun, rows: readonly RecordedRow[]): unknown[] {
  const kinds = new Map<string, number>();
  const listed: RecordedRow[] = [];
  const chosen = new Map<number, { readonly kind: number; readonly remoteId: string | undefined }>();
  for (const row of rows) {
    if (chosen.has(row.no)) continue;
    const name = `${row.outcome}\0${row.reason ?? ''}\0${row.code ?? ''}\0${row.requestId ?? ''}`;
    let kind = kinds.get(name);
    if (kind === undefined) {
      listed.push(row);
      kind = listed.length;
      kinds.set(name, kind);
    }
    chosen.set(row.no, { kind, remoteId: row.remoteId });
  }
  const nos = [...chosen.keys()];
  const values = [...chosen.values()];
  const remoteIds = values.some((value) => value.remoteId !== undefined) ? values.map((value) => value.remoteId ?? null) : null;
  return [
    held.runNo,
    held.syncNo,
    `{${nos.join(',')}}`,
    `{${values.map((value) => value.kind).join(',')}}`,
    remoteIds,
    listed.map((row) => row.outcome),
    listed.map((row) => text(row.reason)),
    listed.map((row) => text(row.code)),
    listed.map((row) => text(row.requestId)),
    held.done,
    nos.reduce((low, no) => Math.min(low, no), Number.MAX_SAFE_INTEGER),
    nos.reduce((high, no) => Math.max(high, no), 0),
  ];
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
