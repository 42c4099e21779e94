import { MillraceError } from '../../../schema/errors.ts';
import { quoteIdentifier, quoteLiteral } from '../sql.ts';
import type { Delivery } from './delivery.ts';
import { columnList, orderColumn, place } from './names.ts';
import { sampleOf } from './rejections.ts';
import { lost, type Shape } from './verify.ts';

/** Thrown in a commit when keys repeat and the load's table didn't keep the order of rows: it is loaded again into one that does. */
export class OrderNeeded extends Error {}

/** Rows of a load's table that were taken out because of their keys. */
export interface Cleaned {
  readonly rejected: number;
  readonly duplicates: number;
}

/** Leaves one row for each complete key in the load's table: the newest by (cursor, file, position). Rows with a NULL in the key become rejections. */
export async function cleanKeys(delivery: Delivery, shape: Shape = delivery.shape): Promise<Cleaned> {
  if (shape.nullKeys > 0) await rejectNullKeys(delivery, shape.nullKeys);
  const duplicates = shape.rows - shape.nullKeys - shape.distinct;
  if (duplicates > 0) await dropOlder(delivery, duplicates);
  return { rejected: shape.nullKeys, duplicates };
}

/** The cursor column of a stream, where it is delivered. */
export function cursorOf(delivery: Delivery): string | undefined {
  const { cursor } = delivery.load.definition;
  return delivery.contract.delivered.some((column) => column.name === cursor) ? cursor : undefined;
}

async function dropOlder(delivery: Delivery, expected: number): Promise<void> {
  const { client, load, table } = delivery;
  if (!table.ordered) throw new OrderNeeded();
  const cursor = cursorOf(delivery);
  const order = cursor === undefined ? orderColumn : `${quoteIdentifier(cursor)} DESC NULLS LAST, ${orderColumn}`;
  const { rowCount } = await client.query(
    `DELETE FROM ${table.name} t USING (
       SELECT ctid AS place, row_number() OVER (PARTITION BY ${columnList(load.definition.key)} ORDER BY ${order} DESC) AS no FROM ${table.name}) o
     WHERE t.ctid = o.place AND o.no > 1`,
  );
  if (rowCount !== expected) throw lost(load, `${rowCount} rows of repeated keys were found and ${expected} are expected`);
}

async function rejectNullKeys(delivery: Delivery, count: number): Promise<void> {
  const { client, load, table } = delivery;
  if (load.definition.onFailure === 'fail') {
    throw new MillraceError(
      'rejected',
      `${place(load)}: ${count} rows have no value in the key (${load.definition.key.join(', ')}) and on_failure is fail; nothing was loaded`,
    );
  }
  const isNull = load.definition.key.map((name) => `${quoteIdentifier(name)} IS NULL`).join(' OR ');
  const column = load.definition.key.join(', ');
  const read = `(SELECT to_jsonb(r) FROM (SELECT ${columnList(
    load.columns.map((column) => column.name),
    's.',
  )}) r)`;
  const kept = load.definition.protect.length === 0 ? read : `${read} || ${quoteLiteral(JSON.stringify(maskOf(load)))}::jsonb`;
  await client.query(
    `INSERT INTO _millrace.rejections (project, pipeline, stream, load_id, "column", rule, reason, "row")
     SELECT $1, $2, $3, $4, $5, 'not_null', 'the key has no value', (${kept})::text FROM ${table.name} s WHERE ${isNull} LIMIT ${sampleOf(load)}`,
    [load.project, load.pipeline, load.stream, load.id, column],
  );
  await client.query(`DELETE FROM ${table.name} WHERE ${isNull}`);
}

function maskOf({ columns, definition }: Delivery['load']): Record<string, string> {
  return Object.fromEntries(columns.filter(({ name }) => definition.protect.includes(name)).map(({ name }) => [name, '***']));
}
