import type pg from 'pg';
import type { SyncPlanRequest } from '../../sync-books.ts';
import { noKey } from './diff.ts';
import { planTable } from './names.ts';

/** Takes rows whose outcome stayed unknown into the ledger, before a comparison: somebody said that they were sent. Gives notes. */
export async function takeUnknownAsSent(client: pg.Client, { run }: SyncPlanRequest, syncNo: number): Promise<readonly string[]> {
  const { rows } = await client.query<{ settled: string }>(
    `WITH taken AS (DELETE FROM _millrace.sync_open_rows WHERE sync_no = $1 AND outcome = 'unknown' RETURNING *),
     gone AS (DELETE FROM _millrace.ledger_rows l WHERE l.sync_no = $1 AND l.key = ANY (ARRAY(SELECT key FROM taken WHERE hash IS NULL))),
     logged AS (
       INSERT INTO _millrace.sync_log_rows (at, run_no, sync_no, key, operation, outcome, reason)
       SELECT now(), r.run_no, $1, t.key, t.operation, 'settled', 'as sent, by a person'
       FROM taken t, _millrace.sync_runs r WHERE r.run_id = $2),
     kept AS (
       INSERT INTO _millrace.ledger_rows AS l (at, sync_no, hash, key, match, fields)
       SELECT now(), sync_no, hash, key, match, fields FROM taken WHERE hash IS NOT NULL
       ON CONFLICT (sync_no, key) DO UPDATE SET at = excluded.at, hash = excluded.hash, match = excluded.match, fields = excluded.fields)
     SELECT count(*) AS settled FROM taken`,
    [syncNo, run.runId],
  );
  const settled = Number(rows[0]?.settled ?? 0);
  if (settled === 0) return [];
  return [`${settled} ${settled === 1 ? 'row' : 'rows'} of unknown outcome ${settled === 1 ? 'was' : 'were'} settled as sent`];
}

/** Brings open rows and ledger up to a plan: invalid rows are noted once, and those that nothing is to be done for any more are closed. */
export async function bookOpenRows(client: pg.Client, { run, options }: SyncPlanRequest, syncNo: number): Promise<void> {
  const table = planTable(run);
  await client.query(
    `WITH noted AS (
       INSERT INTO _millrace.sync_open_rows AS o (sync_no, key, outcome, hash, reason, attempts, run_id, first_at, at)
       SELECT DISTINCT ON (key) $1::integer, key, 'invalid', hash, reason, 0, $2::uuid, now(), now() FROM ${table} WHERE state = 'invalid'
       ORDER BY key, reason, hash
       ON CONFLICT (sync_no, key) DO UPDATE SET outcome = excluded.outcome, change = NULL, operation = NULL, hash = excluded.hash, reason = excluded.reason,
         code = NULL, request_id = NULL, attempts = 0, run_id = excluded.run_id, at = excluded.at, next_at = NULL
       WHERE o.outcome NOT IN ('sent', 'unknown') AND (o.outcome, o.reason) IS DISTINCT FROM (excluded.outcome, excluded.reason)
       RETURNING key, reason)
     INSERT INTO _millrace.sync_log_rows (at, run_no, sync_no, key, outcome, reason)
     SELECT now(), r.run_no, $1, noted.key, 'invalid', noted.reason FROM noted, _millrace.sync_runs r WHERE r.run_id = $2`,
    [syncNo, run.runId],
  );
  await client.query(
    `DELETE FROM _millrace.sync_open_rows o USING ${table} p WHERE o.sync_no = $1 AND o.key = p.key AND p.state IN ('none', 'moved')
       AND (o.outcome IN ('rejected', 'invalid') OR o.outcome = 'unknown' AND $2)
       AND NOT EXISTS (SELECT FROM ${table} s WHERE o.key = $3 AND s.key = $3 AND s.state = 'invalid')`,
    [syncNo, options.unknown === 'lost', noKey],
  );
  await client.query(
    `UPDATE _millrace.sync_open_rows o SET outcome = 'unknown', reason = 'its answer is missing, and its row left the model', at = now()
     FROM ${table} p WHERE o.sync_no = $1 AND o.key = p.key AND p.state = 'none' AND o.outcome = 'sent'`,
    [syncNo],
  );
  await client.query(`DELETE FROM _millrace.ledger_rows l USING ${table} p WHERE l.sync_no = $1 AND l.key = p.key AND p.state = 'moved'`, [
    syncNo,
  ]);
}
