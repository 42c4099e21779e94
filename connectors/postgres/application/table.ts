import { closest } from 'fastest-levenshtein';
import { MillraceError } from '../../../schema/errors.ts';
import type { Session } from '../session.ts';

/** A column of a table that a sync writes. */
export interface TargetColumn {
  readonly name: string;
  /** As SQL has it, with its modifier: `numeric(10,2)`, `public.mood`. */
  readonly declared: string;
  /** The type behind a domain: `int4`, `bytea`, and its `typtype`. */
  readonly base: string;
  readonly kind: string;
  readonly maxLength: number | null;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Its values are the server's alone. */
  readonly generated: boolean;
  readonly labels: readonly string[] | null;
  readonly mayInsert: boolean;
  readonly mayUpdate: boolean;
  readonly maySelect: boolean;
}

/** A table that a sync writes, as the catalogue has it. */
export interface TargetTable {
  readonly schema: string;
  readonly table: string;
  /** `relkind`: r and p are tables. */
  readonly kind: string;
  readonly columns: readonly TargetColumn[];
  /** Columns of each unique index that holds for all rows at once, sorted. */
  readonly uniques: readonly (readonly string[])[];
  readonly mayUse: boolean;
  readonly mayDelete: boolean;
  readonly policies: boolean;
  /** `stream orders of pipeline shop`, when Millrace loads the table; undefined: it doesn't, or the books can't be read. */
  readonly loadedBy: string | undefined;
  readonly booksReadable: boolean;
}

interface TableRow {
  readonly oid: string;
  readonly kind: string;
  readonly mayUse: boolean;
  readonly mayDelete: boolean;
  readonly policies: boolean;
}

const tableQuery = `SELECT c.oid::text AS oid, c.relkind::text AS kind, has_schema_privilege(n.oid, 'USAGE') AS "mayUse",
  has_table_privilege(c.oid, 'DELETE') AS "mayDelete", row_security_active(c.oid) AS policies
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

const columnsQuery = `
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS declared, b.typname::text AS base, b.typtype::text AS kind,
  CASE WHEN b.typname IN ('varchar', 'bpchar') AND b.typmod > 4 THEN b.typmod - 4 END AS "maxLength",
  a.attnotnull AS "notNull", a.atthasdef OR a.attidentity <> '' AS "hasDefault", a.attgenerated <> '' OR a.attidentity = 'a' AS generated,
  (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.oid) AS labels,
  has_column_privilege(a.attrelid, a.attnum, 'INSERT') AS "mayInsert", has_column_privilege(a.attrelid, a.attnum, 'UPDATE') AS "mayUpdate",
  has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS "maySelect"
FROM pg_attribute a
CROSS JOIN LATERAL (
  WITH RECURSIVE unwrapped AS (
    SELECT t.oid, t.typname, t.typtype, t.typbasetype, a.atttypmod AS typmod, t.typtypmod FROM pg_type t WHERE t.oid = a.atttypid
    UNION ALL
    SELECT t.oid, t.typname, t.typtype, t.typbasetype, u.typtypmod, t.typtypmod FROM unwrapped u JOIN pg_type t ON t.oid = u.typbasetype WHERE u.typtype = 'd'
  ) SELECT * FROM unwrapped WHERE typtype <> 'd'
) b
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;

const uniquesQuery = `SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C") AS columns
FROM pg_index x CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k (attnum, place)
JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
WHERE x.indrelid = $1::oid AND x.indisunique AND x.indimmediate AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL AND k.place <= x.indnkeyatts
GROUP BY x.indexrelid`;

const booksQuery = `SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '_millrace' AND c.relname = 'tables'`;

/** Schema and table of an object's name; without a schema it is in `public`. */
function tableName(object: string): { readonly schema: string; readonly table: string } {
  const dot = object.indexOf('.');
  return dot < 0 ? { schema: 'public', table: object } : { schema: object.slice(0, dot), table: object.slice(dot + 1) };
}

/** A table with what may be done to it. Throws `not-found` naming the nearest. */
export async function readTable(session: Session, object: string): Promise<TargetTable> {
  const name = tableName(object);
  const [table] = await session.query<TableRow>(tableQuery, [name.schema, name.table]);
  if (table === undefined) throw await notFound(session, `${name.schema}.${name.table}`);
  const columns = await session.query<TargetColumn>(columnsQuery, [table.oid]);
  const uniques = await session.query<{ columns: readonly string[] }>(uniquesQuery, [table.oid]);
  const { oid: _, ...facts } = table;
  return { ...name, ...facts, columns, uniques: uniques.map((row) => row.columns), ...(await readBooks(session, name)) };
}

async function readBooks(
  session: Session,
  { schema, table }: { readonly schema: string; readonly table: string },
): Promise<Pick<TargetTable, 'loadedBy' | 'booksReadable'>> {
  const [books] = await session.query<{ readable: boolean }>(booksQuery);
  if (books?.readable !== true) return { loadedBy: undefined, booksReadable: books === undefined };
  const [owner] = await session.query<{ pipeline: string; stream: string }>(
    'SELECT pipeline, stream FROM _millrace.tables WHERE table_schema = $1 AND table_name = $2',
    [schema, table],
  );
  return { loadedBy: owner && `stream ${owner.stream} of pipeline ${owner.pipeline}`, booksReadable: true };
}

/** Tables of the database that can be written by a sync. */
export async function listTables(session: Session): Promise<readonly string[]> {
  const rows = await session.query<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', '_millrace') ORDER BY 1 LIMIT 20000`,
  );
  return rows.map(({ name }) => name);
}

async function notFound(session: Session, missing: string): Promise<MillraceError> {
  const names = await listTables(session);
  const hint =
    names.length === 0 ? 'the database has no tables that this user sees' : `the nearest name is ${closest(missing, [...names])}`;
  return new MillraceError('not-found', `table ${missing} is not in the database (names without a schema are in public); ${hint}`);
}

/** A column by name. Throws `not-found` naming the nearest. */
export function columnOf(table: TargetTable, name: string): TargetColumn {
  const found = table.columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = table.columns.map((column) => column.name);
  const hint = names.length === 0 ? 'it has no columns' : `the nearest is ${closest(name, names)}`;
  throw new MillraceError('not-found', `table ${table.schema}.${table.table} has no column ${name}; ${hint}`);
}
