import assert from 'node:assert/strict';
import { modelSql } from '../../connectors/postgres/ledger/model-sql.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { Effect } from '../fakes/fake.ts';
import { sql } from '../pipeline-kit.ts';
import type { Thing } from './sync-destinations.ts';

const columns = [
  { name: 'key', type: 'text' },
  { name: 'value', type: 'text' },
  { name: 'code', type: 'integer' },
] as const;

/** Asserts that the ledger has just the keys that an application holds, each with the hash of the values that it holds. */
export async function assertLedgerIs(url: string, sync: SyncDefinition, held: readonly Thing[]): Promise<void> {
  const given = `SELECT * FROM json_to_recordset($1) AS held (key text, value text, code integer)`;
  const different = await sql(
    url,
    `SELECT coalesce(m._key, l.key) AS key, m._hash AS held, l.hash AS acknowledged
     FROM ${modelSql(sync, columns).rows(given, false)} m FULL JOIN (
       SELECT r.* FROM _millrace.ledger_rows r JOIN _millrace.syncs s USING (sync_no) WHERE (s.project, s.sync) = ($2, $3)) l ON l.key = m._key
     WHERE m._hash IS DISTINCT FROM l.hash ORDER BY 1 LIMIT 5`,
    [JSON.stringify(held), sync.project, sync.name],
  );
  assert.deepEqual(different, [], 'the ledger equals what the application holds');
}

/** Asserts that every row of the model is in the ledger, as it is now where the mode follows changes, and has an outcome in the log. */
export async function assertNoneSkipped(url: string, sync: SyncDefinition): Promise<void> {
  const follows = sync.mode === 'update' || sync.mode === 'upsert' || (sync.mode === 'mirror' && sync.map.length > 0);
  const skipped = await sql(
    url,
    `SELECT m._key FROM ${modelSql(sync, columns).rows(sync.model.sql, false)} m
     LEFT JOIN (SELECT r.* FROM _millrace.ledger_rows r JOIN _millrace.syncs s USING (sync_no) WHERE (s.project, s.sync) = ($1, $2)) l ON l.key = m._key
     WHERE l.key IS NULL OR ($3 AND l.hash <> m._hash)
       OR NOT EXISTS (SELECT FROM _millrace.sync_log o WHERE (o.project, o.sync, o.key) = ($1, $2, m._key)) LIMIT 5`,
    [sync.project, sync.name, follows],
  );
  assert.deepEqual(skipped, [], 'no row of the model is skipped');
}

/** Asserts that the books of a sync balance, that its log adds up to them, and that no plan is left of it. */
export async function assertSyncBooksBalance(url: string, { project, name }: SyncDefinition, runs: number): Promise<void> {
  const named = [project, name];
  const booked = await sql(
    url,
    `SELECT run_id, status, planned = acknowledged + rejected + unknown AND sent = planned AS balances, acknowledged, rejected, unknown
     FROM _millrace.sync_runs WHERE (project, sync) = ($1, $2) ORDER BY run_no`,
    named,
  );
  assert.deepEqual(
    booked.map(({ status, balances }) => [status, balances]),
    Array.from({ length: runs }, () => ['succeeded', 't']),
  );
  const logged = await sql(
    url,
    `SELECT r.run_id, 'succeeded' AS status, 't' AS balances, count(*) FILTER (WHERE outcome = 'acknowledged') AS acknowledged,
       count(*) FILTER (WHERE outcome = 'rejected') AS rejected, count(*) FILTER (WHERE outcome = 'unknown') AS unknown
     FROM _millrace.sync_runs r LEFT JOIN _millrace.sync_log l USING (run_id) WHERE (r.project, r.sync) = ($1, $2) GROUP BY r.run_no, 1 ORDER BY r.run_no`,
    named,
  );
  assert.deepEqual(logged, booked, 'the log adds up to the books');
  const plans = await sql(
    url,
    `SELECT c.relname FROM pg_class c JOIN _millrace.sync_runs r ON c.relname = 'p_' || replace(r.run_id::text, '-', '') WHERE (r.project, r.sync) = ($1, $2)`,
    named,
  );
  assert.deepEqual(plans, [], 'no plan is left');
}

/** Keys of a sync whose last outcome is no acknowledgement, by that outcome. */
export async function openKeys(url: string, { project, name }: SyncDefinition, outcome: string): Promise<readonly string[]> {
  const rows = await sql(
    url,
    `SELECT key FROM _millrace.sync_open WHERE (project, sync, outcome) = ($1, $2, $3) ORDER BY key COLLATE "C"`,
    [project, name, outcome],
  );
  return rows.map(({ key }) => key ?? '');
}

/** Keys with more effects of a kind than one, each so often. */
export function repeated(effects: readonly Effect[], kinds: readonly Effect['operation'][]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { key, operation } of effects) if (kinds.includes(operation)) counts.set(key, (counts.get(key) ?? 0) + 1);
  return new Map([...counts].filter(([, count]) => count > 1));
}

/** Effects that gave an object what it had been given before. */
export function countRepeats(effects: readonly Effect[]): number {
  const last = new Map<string, string>();
  let repeats = 0;
  for (const { key, operation, fields } of effects) {
    const given = JSON.stringify([operation === 'create' || operation === 'update' ? 'write' : operation, fields]);
    if (last.get(key) === given) repeats += 1;
    last.set(key, given);
  }
  return repeats;
}
