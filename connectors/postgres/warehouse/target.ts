import type pg from 'pg';
import type { Target } from '../../../schema/stream.ts';
import { shortType } from './fit.ts';

interface TargetColumn {
  readonly name: string;
  /** In the logical types' spelling. */
  readonly type: string;
  /** Generated or identity-always columns can't be written. */
  readonly generated: boolean;
}

/** A table as the catalogue has it. */
export interface TargetTable {
  readonly oid: string;
  /** `pg_class.relkind`: `r` table, `p` partitioned, `v` view, … */
  readonly kind: string;
  readonly columns: readonly TargetColumn[];
  /** Columns of the primary key, in its order. */
  readonly key: readonly string[];
}

/** Looks a table up by its exact name; undefined when there is none. */
export async function findTarget(client: pg.Client, target: Target): Promise<TargetTable | undefined> {
  const { rows } = await client.query<{ oid: string; kind: string }>(
    `SELECT c.oid::text AS oid, c.relkind::text AS kind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2`,
    [target.schema, target.table],
  );
  const found = rows[0];
  if (found === undefined) return undefined;
  const { rows: columns } = await client.query<{ name: string; type: string; generated: boolean }>(
    `SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type, attgenerated <> '' OR attidentity = 'a' AS generated
     FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [found.oid],
  );
  const { rows: key } = await client.query<{ name: string }>(
    `SELECT a.attname::text AS name FROM pg_catalog.pg_index i, unnest(i.indkey) WITH ORDINALITY k(no, at)
     JOIN pg_catalog.pg_attribute a ON a.attnum = k.no WHERE i.indrelid = $1 AND i.indisprimary AND a.attrelid = $1 AND k.at <= i.indnkeyatts ORDER BY k.at`,
    [found.oid],
  );
  return {
    ...found,
    columns: columns.map((column) => ({ ...column, type: shortType(column.type) })),
    key: key.map((column) => column.name),
  };
}

/** True when a unique index over exactly these columns can settle conflicts. */
export async function hasUniqueIndex(client: pg.Client, oid: string, key: readonly string[]): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
       AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM unnest(i.indkey) WITH ORDINALITY k(no, at)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.no WHERE k.at <= i.indnkeyatts)
         = (SELECT array_agg(name ORDER BY name) FROM unnest($2::text[]) name)`,
    [oid, key],
  );
  return rows.length > 0;
}

/** True when an index begins with exactly these columns, so that rows of a key are found without reading the table. */
export async function hasKeyIndex(client: pg.Client, oid: string, key: readonly string[]): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL
       AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM unnest(i.indkey) WITH ORDINALITY k(no, at)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.no WHERE k.at <= cardinality($2::text[]))
         = (SELECT array_agg(name ORDER BY name) FROM unnest($2::text[]) name)`,
    [oid, key],
  );
  return rows.length > 0;
}
