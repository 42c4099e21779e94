import type pg from 'pg';
import type { PreviewRow } from '../../../schema/sync-books.ts';
import type { SyncDefinition } from '../../../schema/sync-definition.ts';
import type { Attempt } from '../../connector.ts';
import type { SyncPlanRequest } from '../../sync-books.ts';
import { connect } from '../session.ts';
import { watch } from '../session-watch.ts';
import type { BooksConnection } from './connection.ts';
import type { BooksState, DiffRequest } from './diff.ts';
import { isForeign } from './mapping.ts';
import { copyModel, ownModel } from './model-source.ts';
import { readBooksState, readMapping, readMappingChange } from './state.ts';

export type CompareRequest = Omit<SyncPlanRequest, 'run'>;

/** A comparison that writes nothing, and what the books say of the mapping. */
export interface Comparison {
  readonly client: pg.Client;
  readonly diff: DiffRequest;
  /** Undefined where the books don't know the sync. */
  readonly syncNo: number | undefined;
  readonly notes: readonly string[];
}

/** Opens a comparison in a transaction that can't write; the books may be missing. */
export async function compare<T>(
  books: BooksConnection,
  request: CompareRequest,
  attempt: Attempt,
  work: (comparison: Comparison) => Promise<T>,
): Promise<T> {
  const { rows } = request;
  const what = `connection ${books.name}, sync ${request.sync.name}`;
  await using session = await connect(books.settings, attempt, { what, readOnly: rows === undefined });
  await using _watch = watch(books.settings, session, attempt);
  return await session.run(async (client) => {
    const copied = rows === undefined ? undefined : await copyModel(client, rows);
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL work_mem = '64MB'`);
    const source = copied ?? (await ownModel(client, request.sync));
    const { state, notes } = await readState(client, request);
    const diff: DiffRequest = { ...request, ...source, books: state, counted: state.repeated };
    const result = await work({ client, diff, syncNo: state.syncNo === 0 ? undefined : state.syncNo, notes });
    await client.query('ROLLBACK');
    return result;
  });
}

const nothing: BooksState = { syncNo: 0, identity: '', ledgerRows: 0, open: false, repeated: false, removed: false };

async function readState(
  client: pg.Client,
  request: CompareRequest,
): Promise<{ readonly state: BooksState; readonly notes: readonly string[] }> {
  const { rows: there } = await client.query(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '_millrace' AND c.relname = 'sync_removed'`,
  );
  const { sync } = request;
  if (there.length === 0) return { state: nothing, notes: [] };
  const { rows } = await client.query<{ sync_no: number }>('SELECT sync_no FROM _millrace.syncs WHERE (project, sync) = ($1, $2)', [
    sync.project,
    sync.name,
  ]);
  const syncNo = rows[0]?.sync_no;
  if (syncNo === undefined) return { state: nothing, notes: [] };
  const state = await readBooksState(client, syncNo);
  const change = await readMappingChange(client, syncNo, request);
  if (change === undefined) return { state, notes: [] };
  // Under another address the ledger says nothing.
  const isGone = isForeign(await readMapping(client, syncNo), request);
  const kept = isGone ? { ...state, ledgerRows: 0, open: false } : state;
  return { state: kept, notes: [`${change.difference}: up to ${change.rows} rows that were acknowledged before would be sent again`] };
}

/** A planned row as the comparison gives it. */
export interface SampleRow {
  readonly key: string;
  readonly change: PreviewRow['change'];
  readonly operation: PreviewRow['operation'];
  readonly vals: string;
  readonly changed: readonly number[] | null;
}

/** A planned row for people: values by field, without those that are kept for being NULL. */
export function previewRow(sync: SyncDefinition, row: SampleRow): PreviewRow {
  const values = JSON.parse(row.vals) as readonly unknown[];
  const matched = sync.match.map(({ field }, at) => [field, values[at]] as const);
  const mapped = sync.map.map(({ field, whenNull }, at) => ({ field, whenNull, value: values[sync.match.length + at] }));
  const sent = mapped.filter(({ whenNull, value }) => row.change === 'removed' || whenNull === 'clear' || value !== null);
  const isGone = row.operation === 'delete' || row.operation === 'archive' || row.operation === 'remove';
  return {
    key: row.key,
    change: row.change,
    operation: row.operation,
    values: Object.fromEntries([...matched, ...(isGone ? [] : sent.map(({ field, value }) => [field, value] as const))]),
    changed: row.changed === null ? null : row.changed.flatMap((at) => sync.map[at]?.field ?? []),
  };
}
