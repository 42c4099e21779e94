import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { SyncPlanRequest } from '../../sync-books.ts';
import { repeatedKey, type BooksState } from './diff.ts';
import { isForeign, mappingDifference, mappingOf, type BookedMapping, type MappedTo } from './mapping.ts';

interface StateRow {
  readonly identity: string;
  readonly rows: string;
  readonly open: boolean;
  readonly repeated: boolean;
  readonly removed: boolean;
}

/** What the books hold of a sync. */
export async function readBooksState(client: pg.Client, syncNo: number): Promise<BooksState> {
  const { rows } = await client.query<StateRow>(
    `SELECT concat_ws('|', project, sync, at) AS identity, (SELECT count(*) FROM _millrace.ledger_rows WHERE sync_no = $1) AS rows,
       EXISTS (SELECT FROM _millrace.sync_open_rows WHERE sync_no = $1) AS open,
       EXISTS (SELECT FROM _millrace.sync_open_rows WHERE sync_no = $1 AND outcome = 'invalid' AND reason = $2) AS repeated, EXISTS (SELECT FROM _millrace.sync_removed WHERE sync_no = $1) AS removed
     FROM _millrace.syncs WHERE sync_no = $1`,
    [syncNo, repeatedKey],
  );
  const row = rows[0];
  if (row === undefined) throw new Error(`the books have no sync ${syncNo}`);
  return { ...row, syncNo, ledgerRows: Number(row.rows) };
}

/** The mapping that the ledger belongs to. */
export async function readMapping(client: pg.Client, syncNo: number): Promise<BookedMapping> {
  // A comparison that writes nothing may meet older books, which have no identity.
  const { rows } = await client.query<BookedMapping>(
    `SELECT address, mapping, to_jsonb(s) ->> 'identity' AS identity FROM _millrace.syncs s WHERE sync_no = $1`,
    [syncNo],
  );
  return rows[0] ?? { address: null, mapping: null, identity: null };
}

/** How a sync's mapping differs from the one that its ledger belongs to; undefined when it doesn't, or when the ledger has no rows. */
export async function readMappingChange(client: pg.Client, syncNo: number, mapped: MappedTo): Promise<MappingChange | undefined> {
  const difference = mappingDifference(await readMapping(client, syncNo), mapped);
  if (difference === undefined) return undefined;
  const { rows } = await client.query<{ rows: string }>('SELECT count(*) AS rows FROM _millrace.ledger_rows WHERE sync_no = $1', [syncNo]);
  const count = Number(rows[0]?.rows ?? 0);
  return count === 0 ? undefined : { rows: count, difference };
}

export interface MappingChange {
  /** At most so many are sent again: some may have left the model. */
  readonly rows: number;
  readonly difference: string;
}

/**
 * Settles what a changed mapping means. Other fields: every row is sent again. Another object, match, key or application: the ledger says nothing of it
 * and is emptied. Gives notes. Throws `config` when nobody said that rows may be sent again.
 */
export async function settleMapping(client: pg.Client, request: SyncPlanRequest, syncNo: number): Promise<readonly string[]> {
  const now = mappingOf(request.sync);
  const before = await readMapping(client, syncNo);
  const change = await readMappingChange(client, syncNo, request);
  if (change !== undefined) mayResend(request, change);
  if (isForeign(before, request)) {
    await client.query('DELETE FROM _millrace.ledger_rows WHERE sync_no = $1', [syncNo]);
    await client.query('DELETE FROM _millrace.sync_open_rows WHERE sync_no = $1', [syncNo]);
  }
  await client.query(
    `UPDATE _millrace.syncs SET address = $2, mapping = $3, identity = $4
     WHERE sync_no = $1 AND (address, mapping, identity) IS DISTINCT FROM ($2, $3, $4)`,
    [syncNo, now.address, now.fields, request.identity],
  );
  return change === undefined ? [] : [`${change.difference}: up to ${change.rows} rows that were acknowledged before are sent again`];
}

function mayResend({ sync, options }: SyncPlanRequest, { rows, difference }: MappingChange): void {
  if (options.resend || options.full || sync.mappingChange === 'resend') return;
  throw new MillraceError(
    'config',
    `sync ${sync.name}: its mapping changed since ${rows} rows were acknowledged: ${difference}. Up to ${rows} rows (those that the model still has) would be sent again: millrace run ${sync.name} --resend (or mapping_change: resend), or undo the change`,
  );
}
