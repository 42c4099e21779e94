import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { SyncPlanRequest } from '../../sync-books.ts';
import type { BooksState } from './diff.ts';
import { mappingDifference, mappingOf, type BookedMapping } from './mapping.ts';

interface StateRow {
  readonly identity: string;
  readonly rows: string;
  readonly open: boolean;
  readonly removed: boolean;
}

/** What the books hold of a sync. */
export async function readBooksState(client: pg.Client, syncNo: number): Promise<BooksState> {
  const { rows } = await client.query<StateRow>(
    `SELECT concat_ws('|', project, sync, at) AS identity, (SELECT count(*) FROM _millrace.ledger_rows WHERE sync_no = $1) AS rows,
       EXISTS (SELECT FROM _millrace.sync_open_rows WHERE sync_no = $1) AS open, EXISTS (SELECT FROM _millrace.sync_removed WHERE sync_no = $1) AS removed
     FROM _millrace.syncs WHERE sync_no = $1`,
    [syncNo],
  );
  const row = rows[0];
  return {
    syncNo,
    identity: row?.identity ?? '',
    ledgerRows: Number(row?.rows ?? 0),
    open: row?.open ?? false,
    removed: row?.removed ?? false,
  };
}

/** The mapping that the ledger belongs to, and how many rows it has. */
export async function readMapping(client: pg.Client, syncNo: number): Promise<BookedMapping & { readonly rows: number }> {
  const { rows } = await client.query<BookedMapping & { readonly rows: string }>(
    'SELECT address, mapping, (SELECT count(*) FROM _millrace.ledger_rows l WHERE l.sync_no = s.sync_no) AS rows FROM _millrace.syncs s WHERE sync_no = $1',
    [syncNo],
  );
  const row = rows[0] ?? { address: null, mapping: null, rows: '0' };
  return { ...row, rows: Number(row.rows) };
}

/**
 * Settles what a changed mapping means. Other fields: every row is sent again. Another object, match or key: the ledger says nothing of it
 * and is emptied. Gives notes. Throws `config` when nobody said that rows may be sent again.
 */
export async function settleMapping(client: pg.Client, request: SyncPlanRequest, syncNo: number): Promise<readonly string[]> {
  const now = mappingOf(request.sync);
  const before = await readMapping(client, syncNo);
  const difference = mappingDifference(before, now);
  if (difference !== undefined && before.rows > 0) mayResend(request, before.rows, difference);
  if (before.address !== null && before.address !== now.address) {
    await client.query('DELETE FROM _millrace.ledger_rows WHERE sync_no = $1', [syncNo]);
    await client.query('DELETE FROM _millrace.sync_open_rows WHERE sync_no = $1', [syncNo]);
  }
  await client.query(
    'UPDATE _millrace.syncs SET address = $2, mapping = $3 WHERE sync_no = $1 AND (address, mapping) IS DISTINCT FROM ($2, $3)',
    [syncNo, now.address, now.fields],
  );
  if (difference === undefined || before.rows === 0) return [];
  return [`${difference}: ${before.rows} rows that were acknowledged before are sent again`];
}

function mayResend({ sync, options }: SyncPlanRequest, rows: number, difference: string): void {
  if (options.resend || options.full || sync.mappingChange === 'resend') return;
  throw new MillraceError(
    'config',
    `sync ${sync.name}: its mapping changed since ${rows} rows were acknowledged: ${difference}. They would be sent again: millrace run ${sync.name} --resend (or mapping_change: resend), or undo the change`,
  );
}
