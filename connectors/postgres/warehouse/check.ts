import type { Attempt, CheckReport } from '../../connector.ts';
import { openSession, type WarehouseContext } from './open.ts';

interface Facts {
  readonly version: string;
  readonly number: number;
  readonly database: string;
  readonly username: string;
  readonly may_create: boolean;
  readonly has_books: boolean;
  readonly may_use: boolean;
  readonly read_only: boolean;
  readonly synchronous: string;
}

const facts = `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
  current_database()::text AS database, current_user::text AS username, has_database_privilege(current_database(), 'CREATE') AS may_create,
  to_regnamespace('_millrace') IS NOT NULL AS has_books,
  CASE WHEN to_regnamespace('_millrace') IS NULL THEN true ELSE has_schema_privilege('_millrace', 'CREATE, USAGE') END AS may_use,
  pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS read_only, current_setting('synchronous_commit') AS synchronous`;

/** Says what would keep loads from working here, or queries alone, with the statement that mends it. */
export async function checkWarehouse(context: WarehouseContext, use: 'load' | 'query', attempt: Attempt): Promise<CheckReport> {
  await using session = await openSession(context, attempt);
  const [found] = await session.query<Facts>(facts);
  if (found === undefined) return { system: 'PostgreSQL', problems: ['the server answered nothing'], warnings: [] };
  const system = `PostgreSQL ${found.version}`;
  if (use === 'query') return { system, problems: found.number < 120_000 ? ['PostgreSQL 12 or newer is needed'] : [], warnings: [] };
  return { system, problems: problemsOf(found), warnings: warningsOf(found) };
}

function problemsOf(found: Facts): readonly string[] {
  const user = `"${found.username}"`;
  return [
    ...(found.number < 150_000 ? [`PostgreSQL ${found.version} is too old for a warehouse; 15 or later is needed`] : []),
    ...(found.read_only ? ['the server is read-only (a standby?); a warehouse has to be the primary'] : []),
    ...(!found.has_books && !found.may_create
      ? [
          `the schema _millrace can't be made: GRANT CREATE ON DATABASE "${found.database}" TO ${user}, or CREATE SCHEMA _millrace AUTHORIZATION ${user}`,
        ]
      : []),
    ...(found.may_use
      ? []
      : [`the schema _millrace belongs to another role: ALTER SCHEMA _millrace OWNER TO ${user}, or set role for the connection`]),
  ];
}

function warningsOf(found: Facts): readonly string[] {
  return found.synchronous === 'off' ? ['synchronous_commit is off; Millrace turns it on for its own commits'] : [];
}
