import type { CheckReport } from '../connector.ts';
import type { Bound } from './cursor-bound.ts';
import { takeBound } from './cursor-bound.ts';
import type { Session } from './session.ts';

interface Facts {
  readonly version: string;
  readonly number: string;
  readonly encoding: string;
  readonly unreadable: readonly string[] | null;
  readonly unreadableCount: string;
  readonly user: string;
}

const facts = `
WITH unreadable AS (
  SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
  ORDER BY 1
)
SELECT version() AS version, current_setting('server_version_num') AS number, pg_encoding_to_char(encoding)::text AS encoding,
  current_user::text AS user, (SELECT count(*) FROM unreadable)::text AS "unreadableCount",
  (SELECT array_agg(name) FROM (SELECT name FROM unreadable LIMIT 5) few) AS unreadable
FROM pg_database WHERE datname = current_database()`;

/** What works and what doesn't for reading from a database: version, encoding, grants, and which case of the cursor protocol holds. */
export async function checkSource(session: Session): Promise<CheckReport> {
  const [found] = await session.query<Facts>(facts);
  const warnings = [...(found === undefined ? [] : tableWarnings(found)), ...cursorWarnings(await takeBound(session))];
  return {
    system: /^PostgreSQL [\d.]+/.exec(found?.version ?? '')?.[0] ?? 'PostgreSQL',
    problems: Number(found?.number ?? 0) < 120_000 ? ['PostgreSQL 12 or newer is needed'] : [],
    warnings,
  };
}

function cursorWarnings(bound: Bound): readonly string[] {
  if (bound.known) return bound.notes;
  const remedy = bound.remedy === undefined ? '' : `; to do without: ${bound.remedy}`;
  return [`cursors need look_back, and append a key beside it: ${bound.reason}${remedy}`];
}

function tableWarnings({ encoding, unreadable, unreadableCount, user }: Facts): readonly string[] {
  const encodings = encoding === 'SQL_ASCII' ? ['the database has no encoding (SQL_ASCII): texts that are not UTF-8 will fail'] : [];
  if (unreadable === null) return encodings;
  const grant = `GRANT USAGE ON SCHEMA … and GRANT SELECT ON ${unreadable.join(', ')} TO "${user.replaceAll('"', '""')}"`;
  return [
    ...encodings,
    `${unreadableCount} tables can't be read by this user, among them ${unreadable.join(', ')}; to read them: ${grant}`,
  ];
}
