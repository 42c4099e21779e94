import { MillraceError } from '../../../schema/errors.ts';
import { quoteTable } from '../sql.ts';
import { cleanKeys } from './clean-keys.ts';
import { nothing, type Delivered, type Delivery } from './delivery.ts';
import { columnList, place } from './names.ts';
import { insertParts } from './rows.ts';
import { hasUniqueIndex } from './target.ts';

/**
 * Closes the rejections that a load has taken up again; those of its rows that are refused anew keep the place where they were read first.
 * Throws `conflict` when some are open no longer.
 */
export async function closeRetried({ client, load }: Pick<Delivery, 'client' | 'load'>): Promise<void> {
  const ids = (load.retries ?? []).flat();
  if (ids.length === 0) return;
  const { rowCount } = await client.query(
    `UPDATE _millrace.rejections SET closed_at = now(), closed_by = $5
     WHERE (project, pipeline, stream) = ($1, $2, $3) AND id = ANY ($4::bigint[]) AND closed_at IS NULL`,
    [load.project, load.pipeline, load.stream, ids, load.id],
  );
  if (rowCount !== ids.length) {
    throw new MillraceError(
      'conflict',
      `${place(load)}: ${ids.length - (rowCount ?? 0)} of ${ids.length} rejections were closed or removed since this retry was planned; it is planned again`,
    );
  }
  const places = (load.retries ?? []).flatMap((part, no) => part.map((id, at) => ({ part: String(no), position: String(at + 1), id })));
  await client.query(
    `UPDATE pg_temp.rejected n SET "partition" = r."partition", file = r.file, "position" = r."position"
     FROM unnest($1::text[], $2::text[], $3::bigint[]) AS taken(part, place, id) JOIN _millrace.rejections r ON r.id = taken.id
     WHERE n."partition" = taken.part AND n."position" = taken.place`,
    [places.map(({ part }) => part), places.map(({ position }) => position), ids],
  );
}

/** Adds rows to a table that a `replace` has made; what has a key that is there already is a duplicate. */
export async function addRetried(delivery: Delivery & { readonly target: NonNullable<Delivery['target']> }): Promise<Delivered> {
  const { client, load, table, shape, target } = delivery;
  const cleaned = await cleanKeys(delivery);
  const { key } = load.definition;
  const { into, values } = insertParts(delivery);
  const keyed = key.length > 0 && (await hasUniqueIndex(client, target.oid, key));
  const conflict = keyed ? `ON CONFLICT (${columnList(key)}) DO NOTHING` : '';
  const { rowCount } = await client.query(`INSERT INTO ${into} SELECT ${values} FROM ${table.name} s ${conflict}`);
  const loaded = rowCount ?? 0;
  const there = shape.rows - cleaned.rejected - cleaned.duplicates - loaded;
  const notes = there === 0 ? [] : [`${there} rows have keys that ${quoteTable(load.target)} has already; those stay as they are`];
  return { ...nothing, loaded, rejected: cleaned.rejected, duplicates: cleaned.duplicates + there, notes };
}
