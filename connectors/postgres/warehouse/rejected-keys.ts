import { columnList } from './names.ts';
import { quoteLiteral } from '../sql.ts';
import type { Delivery } from './delivery.ts';
import { closeRetried } from './retried.ts';

/** True in SQL when a rejection's key (a JSON object of texts) is that of a row. */
export function isRejectedKey(key: readonly string[], rejection: string, row: string): string {
  return key.map((name) => `${rejection}.key::jsonb ->> ${quoteLiteral(name)} = ${columnList([name], `${row}.`)}::text`).join(' AND ');
}

/** True when every rejection of the load says which row it was, so that no other row can be meant. */
export async function knowsRejectedKeys({ client, load, rejected }: Delivery): Promise<boolean> {
  const { key, protect } = load.definition;
  if (key.some((name) => protect.includes(name))) return false;
  const { rows } = await client.query<{ known: string }>('SELECT count(key) AS known FROM pg_temp.rejected');
  return Number(rows[0]?.known) === rejected;
}

/**
 * Closes open rejections of earlier loads: those whose key is delivered or rejected anew by this one, those that it took up again, and
 * all of them when the stream was read completely.
 */
export async function closeRejections(delivery: Delivery): Promise<void> {
  const { client, load, fence, table } = delivery;
  if (load.reconciles) return;
  await closeRetried(delivery);
  const stream = [load.project, load.pipeline, load.stream];
  const open = `(r.project, r.pipeline, r.stream) = ($1, $2, $3) AND r.closed_at IS NULL AND r.load_id <> $4`;
  const { rows } = await client.query(`SELECT FROM _millrace.rejections r WHERE ${open} LIMIT 1`, [...stream, load.id]);
  if (rows.length === 0) return;
  const close = 'UPDATE _millrace.rejections r SET closed_at = now(), closed_by = $4';
  const all = fence.rebuild || load.complete;
  if (all) await client.query(`${close} WHERE ${open}`, [...stream, load.id]);
  const { key } = load.definition;
  if (all || key.length === 0) return;
  await client.query(`${close} FROM ${table.name} s WHERE ${open} AND ${isRejectedKey(key, 'r', 's')}`, [...stream, load.id]);
  await client.query(`${close} FROM pg_temp.rejected n WHERE ${open} AND r.key = n.key`, [...stream, load.id]);
}
