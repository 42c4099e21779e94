import pg from 'pg';
import type { Operation, PlannedChange, SyncRunName } from '../../../schema/sync.ts';
import type { Attempt } from '../../connector.ts';
import type { PlannedRow } from '../../sync-books.ts';
import type { BooksConnection } from './connection.ts';
import { fenced } from './hold.ts';
import { planTable } from './names.ts';

type Row = readonly [
  no: string,
  key: string,
  change: PlannedChange,
  operation: Operation,
  values: string,
  changed: string | null,
  remoteId: string | null,
  sent: boolean,
  idempotency: string,
];

/** Rows that were handed over are noted so while the plan stays as it is: by an earlier run, or by an attempt of this one. */
const isSent = `EXISTS (SELECT FROM _millrace.sync_open_rows o WHERE o.key = p.key AND o.outcome = 'sent'
  AND o.sync_no = (SELECT sync_no FROM _millrace.sync_runs WHERE run_id = $1))`;
const columns = `p.no, p.key, p.change, p.operation, p.vals, p.changed, p.remote_id, ${isSent} AS sent, p.idempotency`;
const open = `NOT no <@ (SELECT done FROM _millrace.sync_runs WHERE run_id = $1)`;

/** Rows of the plan from a number on that have no outcome yet. */
export async function rows(
  books: BooksConnection,
  run: SyncRunName,
  from: number,
  limit: number,
  attempt: Attempt,
): Promise<readonly PlannedRow[]> {
  const text = `SELECT ${columns} FROM ${planTable(run)} p WHERE no >= $2 AND ${open} ORDER BY no LIMIT $3`;
  return await read(books, run, { name: `rows ${run.runId}`, text, values: [run.runId, from, limit] }, attempt);
}

/** Rows of the plan by their numbers, both ends of a range inclusive; those that have no outcome yet. */
export async function rowsOf(
  books: BooksConnection,
  run: SyncRunName,
  ranges: readonly (readonly [number, number])[],
  attempt: Attempt,
): Promise<readonly PlannedRow[]> {
  const text = `SELECT ${columns} FROM unnest($2::bigint[], $3::bigint[]) range (low, high) JOIN ${planTable(run)} p ON no BETWEEN low AND high
    WHERE ${open} ORDER BY no`;
  const values = [run.runId, ranges.map(([low]) => low), ranges.map(([, high]) => high)];
  return await read(books, run, { name: `rows of ${run.runId}`, text, values }, attempt);
}

async function read(
  books: BooksConnection,
  run: SyncRunName,
  query: { readonly name: string; readonly text: string; readonly values: unknown[] },
  attempt: Attempt,
): Promise<readonly PlannedRow[]> {
  const found = await books.run(attempt, async (client) => {
    try {
      return (await client.query<unknown[]>({ ...query, rowMode: 'array' })).rows as unknown as readonly Row[];
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== '42P01') throw error;
      return await withoutTable(client, run);
    }
  });
  return found.map(plannedRow);
}

/** A run that waited for what its model follows has planned nothing; one that ended has no plan any more. */
async function withoutTable(client: pg.Client, run: SyncRunName): Promise<readonly Row[]> {
  const { rows: running } = await client.query(`SELECT FROM _millrace.sync_runs WHERE run_id = $1 AND status = 'running'`, [run.runId]);
  if (running.length === 0) throw fenced(run);
  return [];
}

function plannedRow([no, key, change, operation, values, changed, remoteId, sent, idempotencyKey]: Row): PlannedRow {
  return {
    no: Number(no),
    key,
    change,
    operation,
    values,
    changed: changed === null ? null : changed.slice(1, -1).split(',').map(Number),
    remoteId,
    sent,
    idempotencyKey,
  };
}
