import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { DatasetColumn, DatasetShape, DatasetSource } from '../../../schema/dataset.ts';
import type { Session } from '../session.ts';
import { columnType } from '../types.ts';
import { queryFailed } from '../warehouse/model-query.ts';
import { fromSql } from './dataset-sql.ts';
import { readsOf } from './reads.ts';
import { jsonTypeOf } from './types.ts';
import { uniqueColumns } from './uniqueness.ts';

interface FieldRow {
  readonly formatted: string;
  readonly native: string;
  readonly kind: string;
  readonly builtIn: boolean;
  readonly array: boolean;
  readonly required: boolean;
  readonly comment: string | null;
}

/** Domains are their base types already, but in arrays. Whether NULL is possible is only known of tables. */
const fields = `SELECT format_type(t.oid, f.modifier) AS formatted,
  quote_ident(n.nspname) || '.' || quote_ident(b.typname) AS native, b.typtype::text AS kind,
  n.oid = 'pg_catalog'::regnamespace AS "builtIn", e.oid IS NOT NULL AS array,
  coalesce(a.attnotnull AND c.relkind IN ('r', 'p'), false) AS required, col_description(f.relation, f.attribute) AS comment
FROM ROWS FROM (unnest($1::oid[]), unnest($2::int[]), unnest($3::oid[]), unnest($4::int[])) WITH ORDINALITY
  AS f (type, modifier, relation, attribute, place)
JOIN pg_type t ON t.oid = f.type
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
JOIN pg_type b ON b.oid = coalesce(e.oid, t.oid)
JOIN pg_namespace n ON n.oid = b.typnamespace
LEFT JOIN pg_class c ON c.oid = f.relation
LEFT JOIN pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.attribute
ORDER BY f.place`;

/** A dataset's columns, what it reads, and about how many rows it has. */
export async function describeDataset(session: Session, source: DatasetSource, what: string): Promise<DatasetShape> {
  return await session.run(async (client) => {
    const described = await fieldsOf(client, source, what);
    const twice = described.find(({ name }, at) => described.findIndex((other) => other.name === name) !== at);
    if (twice !== undefined) throw new MillraceError('config', `${what} has two columns called ${JSON.stringify(twice.name)}`);
    const { rows } = await client.query<FieldRow>(fields, [
      described.map(({ dataTypeID }) => dataTypeID),
      described.map(({ dataTypeModifier }) => dataTypeModifier),
      described.map(({ tableID }) => tableID),
      described.map(({ columnID }) => columnID),
    ]);
    const columns = described.map(({ name }, at) => datasetColumn(name, rows[at], source, what));
    return { columns, ...(await readsOf(client, source)), unique: await uniqueColumns(client, source) };
  });
}

async function fieldsOf(client: pg.Client, source: DatasetSource, what: string): Promise<readonly pg.FieldDef[]> {
  try {
    const result = await client.query(`SELECT * FROM ${fromSql(source)} LIMIT 0`);
    return result.fields;
  } catch (error) {
    throw source.kind === 'query' ? queryFailed(error, what) : error;
  }
}

function datasetColumn(name: string, row: FieldRow | undefined, source: DatasetSource, what: string): DatasetColumn {
  if (row === undefined) throw new MillraceError('schema', `${what}: the type of column ${JSON.stringify(name)} is gone; try again`);
  const { type, note } = columnType(name, { ...row, declared: row.formatted });
  return {
    name,
    type,
    json: jsonTypeOf(type),
    array: row.array,
    nullable: !(row.required && source.kind === 'table'),
    ...(note === undefined ? {} : { native: row.native }),
    ...(row.comment === null ? {} : { comment: row.comment }),
  };
}
