import type pg from 'pg';
import type { Target } from '../../../schema/stream.ts';
import { quoteIdentifier, quoteLiteral, quoteTable } from '../sql.ts';
import { isCurrentIndex, isOwnColumn } from './names.ts';

/** What a table carries and its successor gets: statements before the swap, on the load's table, and after it, under the old name. */
export interface Copied {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Reads what is to be copied to the table that takes the target's place and name; `$1` is the old table's oid. */
const statements = `
WITH old AS (SELECT c.*, format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid),
columns AS (SELECT a.*, format('ALTER TABLE %s ALTER COLUMN %I ', old.name, a.attname) AS alter FROM pg_catalog.pg_attribute a, old
  WHERE a.attrelid = old.oid AND a.attnum > 0 AND NOT a.attisdropped)
SELECT 1 AS no, format('ALTER TABLE %s SET (%s)', old.name,
    (SELECT string_agg(format('%s = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ') FROM unnest(old.reloptions) o)) AS statement
  FROM old WHERE old.reloptions IS NOT NULL
UNION ALL SELECT 2, format('ALTER TABLE %s SET (%s)', old.name,
    (SELECT string_agg(format('toast.%s = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ') FROM unnest(t.reloptions) o))
  FROM old JOIN pg_catalog.pg_class t ON t.oid = old.reltoastrelid WHERE t.reloptions IS NOT NULL
UNION ALL SELECT 3, format('COMMENT ON TABLE %s IS %L', old.name, pg_catalog.obj_description(old.oid, 'pg_class')) FROM old
UNION ALL SELECT 4, format('COMMENT ON COLUMN %s.%I IS %L', old.name, a.attname, pg_catalog.col_description(old.oid, a.attnum)) FROM old, columns a
  WHERE pg_catalog.col_description(old.oid, a.attnum) IS NOT NULL
UNION ALL SELECT 5, a.alter || format('SET STATISTICS %s', a.attstattarget) FROM columns a WHERE coalesce(a.attstattarget, -1) >= 0
UNION ALL SELECT 6, a.alter || format('SET (%s)', array_to_string(a.attoptions, ', ')) FROM columns a WHERE a.attoptions IS NOT NULL
UNION ALL SELECT 7, a.alter || format('SET STORAGE %s', CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END)
  FROM columns a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE a.attstorage <> t.typstorage
UNION ALL SELECT 8, format('GRANT %s ON %s TO %s%s', g.privilege_type, old.name, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END,
    CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM old, LATERAL pg_catalog.aclexplode(old.relacl) g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee WHERE g.grantee <> old.relowner
UNION ALL SELECT 9, format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, old.name, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END,
    CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM old, columns a, LATERAL pg_catalog.aclexplode(a.attacl) g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee WHERE g.grantee <> old.relowner
UNION ALL SELECT 10, format('ALTER TABLE %s OWNER TO %I', old.name, r.rolname) FROM old JOIN pg_catalog.pg_roles r ON r.oid = old.relowner WHERE r.rolname <> current_user
ORDER BY 1`;

/** Indexes and constraints but the primary key, which the load has its own of, as definitions without the name and the table. */
const indexes = `
SELECT c.conname::text AS name, pg_catalog.pg_get_constraintdef(c.oid) AS definition, 'constraint' AS kind,
  pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment
FROM pg_catalog.pg_constraint c WHERE c.conrelid = $1::oid AND c.contype IN ('u', 'c', 'x')
UNION ALL
SELECT i.relname::text, substr(d.def, length(format('CREATE %sINDEX %I ON %I.%I ', CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END, i.relname, n.nspname, t.relname)) + 1),
  CASE WHEN x.indisunique THEN 'unique index' ELSE 'index' END, pg_catalog.obj_description(i.oid, 'pg_class')
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace, LATERAL (SELECT pg_catalog.pg_get_indexdef(i.oid) AS def) d
WHERE x.indrelid = $1::oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conindid = i.oid AND c.conrelid = $1::oid)
ORDER BY 1`;

interface IndexRow {
  readonly name: string;
  readonly definition: string;
  readonly kind: 'constraint' | 'index' | 'unique index';
  readonly comment: string | null;
}

/** Lists the statements that give a target's successor what the target carries; its indexes are built under names that begin with `prefix`. */
export async function copyOf(client: pg.Client, oid: string, target: Target, successor: string, prefix: string): Promise<Copied> {
  const { rows } = await client.query<{ statement: string }>(statements, [oid]);
  const { rows: found } = await client.query<IndexRow>(indexes, [oid]);
  const { rows: required } = await client.query<{ name: string }>(
    'SELECT attname::text AS name FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = attrelid AND i.indisprimary AND attnum = ANY (i.indkey))',
    [oid],
  );
  const kept = found.filter(({ name, definition }) => !isCurrentIndex(target.table, name, definition));
  const copies = kept.map((row, at) => copyIndex(row, `${prefix}${at}`, target, successor));
  const notNull = required.filter(({ name }) => !isOwnColumn(name)).map(({ name }) => `ALTER COLUMN ${quoteIdentifier(name)} SET NOT NULL`);
  return {
    before: [...(notNull.length === 0 ? [] : [`ALTER TABLE ${successor} ${notNull.join(', ')}`]), ...copies.map((copy) => copy.before)],
    after: [...copies.flatMap((copy) => copy.after), ...rows.map((row) => row.statement)],
  };
}

interface IndexCopy {
  readonly before: string;
  readonly after: readonly string[];
}

function copyIndex(row: IndexRow, temporary: string, target: Target, table: string): IndexCopy {
  const name = quoteIdentifier(row.name);
  const schema = quoteIdentifier(target.schema);
  const comment = row.comment === null ? [] : [quoteLiteral(row.comment)];
  if (row.kind === 'constraint') {
    return {
      before: `ALTER TABLE ${table} ADD CONSTRAINT ${temporary} ${row.definition}`,
      after: [
        `ALTER TABLE ${quoteTable(target)} RENAME CONSTRAINT ${temporary} TO ${name}`,
        ...comment.map((text) => `COMMENT ON CONSTRAINT ${name} ON ${quoteTable(target)} IS ${text}`),
      ],
    };
  }
  return {
    before: `CREATE ${row.kind === 'index' ? '' : 'UNIQUE '}INDEX ${temporary} ON ${table} ${row.definition}`,
    after: [
      `ALTER INDEX ${schema}.${temporary} RENAME TO ${name}`,
      ...comment.map((text) => `COMMENT ON INDEX ${schema}.${name} IS ${text}`),
    ],
  };
}
