import { closest } from 'fastest-levenshtein';
import { MillraceError } from '../../schema/errors.ts';
import type { Stream } from '../../schema/stream.ts';
import type { Session } from './session.ts';
import { columnType } from './types.ts';

interface ColumnRow {
  readonly schema: string;
  readonly table: string;
  readonly kind: string;
  readonly rows: number;
  readonly policies: boolean;
  readonly children: boolean;
  readonly key: readonly string[] | null;
  readonly column: string | null;
  readonly declared: string;
  readonly formatted: string;
  readonly typeKind: string;
  readonly builtIn: boolean;
}

/** Names in `pg_catalog` are found with any search path; a partition is part of its table unless it is named. */
const catalog = `
WITH RECURSIVE unwrapped (oid, base, typmod) AS (
  SELECT oid, typbasetype, typtypmod FROM pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT u.oid, t.typbasetype, CASE WHEN u.typmod = -1 THEN t.typtypmod ELSE u.typmod END
  FROM unwrapped u JOIN pg_type t ON t.oid = u.base WHERE t.typtype = 'd'
), domain AS (
  SELECT u.oid, u.base, u.typmod FROM unwrapped u JOIN pg_type t ON t.oid = u.base WHERE t.typtype <> 'd'
), relation AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples, c.relispartition, n.nspname || '.' || c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(temp|toast_temp)_'
)
SELECT r.nspname AS schema, r.relname AS table, r.relkind::text AS kind,
  CASE WHEN r.relkind = 'p' THEN
    (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM pg_partition_tree(r.oid) t JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf)
  ELSE r.reltuples END::float8 AS rows,
  row_security_active(r.oid) AS policies,
  r.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = r.oid) AS children,
  (SELECT array_agg(k.attname::text ORDER BY p.place) FROM pg_index x, unnest(x.indkey::int2[]) WITH ORDINALITY p (attnum, place)
    JOIN pg_attribute k ON k.attnum = p.attnum
    WHERE x.indrelid = r.oid AND x.indisprimary AND k.attrelid = r.oid AND p.place <= x.indnkeyatts) AS key,
  a.attname::text AS column, format_type(a.atttypid, a.atttypmod) AS declared,
  format_type(b.oid, CASE WHEN e.oid IS NULL OR ed.oid IS NULL THEN coalesce(d.typmod, a.atttypmod) ELSE ed.typmod END) AS formatted,
  coalesce(ee.typtype, e.typtype, b.typtype)::text AS "typeKind",
  coalesce(ee.typnamespace, e.typnamespace, b.typnamespace) = 'pg_catalog'::regnamespace AS "builtIn"
FROM relation r
LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN domain d ON d.oid = a.atttypid
LEFT JOIN pg_type o ON o.oid = coalesce(d.base, a.atttypid)
LEFT JOIN pg_type e ON e.oid = o.typelem AND o.typcategory = 'A'
LEFT JOIN domain ed ON ed.oid = e.oid
LEFT JOIN pg_type ee ON ee.oid = ed.base
LEFT JOIN pg_type b ON b.oid = coalesce(ee.typarray, o.oid)
WHERE r.name = ANY ($1) OR NOT r.relispartition AND r.name LIKE ANY ($2)
ORDER BY r.nspname, r.relname, a.attnum`;

/**
 * Streams that match the patterns; a name without a schema is in `public`, whatever the search path, and `*` stands for any characters.
 * `*.*` is every stream of the database. Names are taken as the catalogue has them: lower and upper case differ.
 */
export async function discover(session: Session, patterns: readonly string[] | undefined): Promise<readonly Stream[]> {
  const names = (patterns ?? ['*.*']).map((pattern) => (pattern.includes('.') ? pattern : `public.${pattern}`));
  const exact = names.filter((name) => !name.includes('*'));
  const wild = names.filter((name) => name.includes('*')).map(likePattern);
  const rows = await session.query<ColumnRow>(catalog, [exact, wild]);
  const streams = [...groupByName(rows).entries()].map(([name, columns]) => stream(name, columns));
  const found = new Set(streams.map(({ name }) => name));
  const missing = exact.find((name) => !found.has(name));
  if (missing !== undefined) throw await notFound(session, missing);
  return streams;
}

/** Schema and table of a stream's name. */
export function tableOf(stream: Pick<Stream, 'name'>): { readonly schema: string; readonly table: string } {
  const dot = stream.name.indexOf('.');
  return dot < 0 ? { schema: 'public', table: stream.name } : { schema: stream.name.slice(0, dot), table: stream.name.slice(dot + 1) };
}

function groupByName(rows: readonly ColumnRow[]): ReadonlyMap<string, readonly [ColumnRow, ...ColumnRow[]]> {
  const groups = new Map<string, [ColumnRow, ...ColumnRow[]]>();
  for (const row of rows) {
    const name = `${row.schema}.${row.table}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [row]);
    else group.push(row);
  }
  return groups;
}

function likePattern(pattern: string): string {
  return pattern.replaceAll(/[\\%_]/g, String.raw`\$&`).replaceAll('*', '%');
}

const kindsWithStatistics: ReadonlySet<string> = new Set(['r', 'p', 'm']);

const kindNotes: Readonly<Record<string, string>> = {
  v: 'a view: read as one partition, without a key of its own',
  m: 'a materialized view: as old as its last refresh',
  f: 'a foreign table: read as one partition',
};

function stream(name: string, rows: readonly [ColumnRow, ...ColumnRow[]]): Stream {
  const [table] = rows;
  const columns = rows.flatMap((row) =>
    row.column === null ? [] : [{ name: row.column, ...columnType(row.column, { ...row, kind: row.typeKind }) }],
  );
  const notes = [...tableNotes(table), ...columns.flatMap(({ note }) => note ?? [])];
  return {
    name,
    columns: columns.map(({ name: column, type }) => ({ name: column, type })),
    key: table.key ?? [],
    ...(kindsWithStatistics.has(table.kind) && table.rows >= 0 ? { estimatedRows: Math.round(table.rows) } : {}),
    notes,
  };
}

function tableNotes(table: ColumnRow): readonly string[] {
  const notes = [
    kindNotes[table.kind],
    table.children ? 'holds the rows of the tables that inherit from it too' : undefined,
    table.policies ? 'row-level security policies limit what this user reads' : undefined,
    table.column === null ? 'has no columns' : undefined,
  ];
  return notes.filter((note) => note !== undefined);
}

async function notFound(session: Session, missing: string): Promise<MillraceError> {
  const rows = await session.query<{ schema: string; table: string }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') LIMIT 20000`,
  );
  const nearest =
    rows.length === 0
      ? undefined
      : closest(
          missing,
          rows.map(({ schema, table }) => `${schema}.${table}`),
        );
  const hint = nearest === undefined ? 'the database has no tables that this user sees' : `the nearest name is ${nearest}`;
  return new MillraceError('not-found', `stream ${missing} is not in the database (names without a schema are in public); ${hint}`);
}
