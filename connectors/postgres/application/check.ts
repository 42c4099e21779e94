import { MillraceError } from '../../../schema/errors.ts';
import type { Operation } from '../../../schema/sync.ts';
import type { ApplicationRequest } from '../../application.ts';
import type { CheckReport } from '../../connector.ts';
import type { Session } from '../session.ts';
import { quoteIdentifier, quoteTable } from '../sql.ts';
import { readTable, type TargetTable } from './table.ts';

const ownSchemas: ReadonlySet<string> = new Set(['_millrace', 'pg_catalog', 'information_schema', 'pg_toast']);

/** A sentence that says why a sync doesn't write to a table, whatever its grants; undefined when it may. */
export function refusalOfTable(table: TargetTable, match: readonly string[]): string | undefined {
  const name = `${table.schema}.${table.table}`;
  if (ownSchemas.has(table.schema))
    return `${name} belongs to ${table.schema === '_millrace' ? 'the books of Millrace' : 'PostgreSQL'}; a sync doesn't write there`;
  if (table.kind !== 'r' && table.kind !== 'p') return `${name} is not a table; a sync writes to tables only`;
  if (table.loadedBy !== undefined)
    return `${name} is loaded by ${table.loadedBy}, which would undo what a sync writes; choose another table`;
  const sorted = match.toSorted((a, b) => (a < b ? -1 : 1)).join('\n');
  if (table.uniques.some((columns) => columns.join('\n') === sorted)) return undefined;
  const columns = match.map(quoteIdentifier).join(', ');
  return `${name} has no unique index on (${columns}), so that these columns can't find one row; make it with: CREATE UNIQUE INDEX ON ${quoteTable(table)} (${columns})`;
}

interface Facts {
  readonly version: string;
  readonly user: string;
  readonly readOnly: boolean;
}

const facts = `SELECT current_setting('server_version') AS version, current_user::text AS user, pg_is_in_recovery() AS "readOnly"`;

/** Says what would keep a sync from writing to its table, with the statement that mends it. */
export async function checkTable(session: Session, request: ApplicationRequest): Promise<CheckReport> {
  const [found] = await session.query<Facts>(facts);
  const system = `PostgreSQL ${found?.version ?? ''}`.trim();
  const standby = found?.readOnly === true ? ['the server is a standby; a sync needs the primary'] : [];
  const table = await tableOrProblem(session, request.object);
  if (typeof table === 'string') return { system, problems: [...standby, table], warnings: [] };
  const refusal = refusalOfTable(table, request.match);
  const grants = missingGrants(table, request).map(({ what, grant }) => `${what}: ${grant} TO ${quoteIdentifier(found?.user ?? '')}`);
  const problems = [...standby, ...(refusal === undefined ? [] : [refusal])];
  // Without the sync's operations it isn't known which grants it needs.
  return request.operations === undefined
    ? { system, problems, warnings: [...grants, ...warningsOf(table)] }
    : { system, problems: [...problems, ...grants], warnings: warningsOf(table) };
}

async function tableOrProblem(session: Session, object: string): Promise<TargetTable | string> {
  try {
    return await readTable(session, object);
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'not-found') return error.message;
    throw error;
  }
}

function warningsOf(table: TargetTable): readonly string[] {
  return [
    ...(table.policies ? ['row-level security policies limit which rows this user can write'] : []),
    ...(table.booksReadable
      ? []
      : [
          "whether Millrace loads this table can't be seen: GRANT USAGE ON SCHEMA _millrace and GRANT SELECT ON _millrace.tables to this user",
        ]),
  ];
}

interface Missing {
  readonly what: string;
  readonly grant: string;
}

/** What the role lacks for the sync's operations; for all of them where they aren't known. */
function missingGrants(table: TargetTable, { match, fields, operations: needed }: ApplicationRequest): readonly Missing[] {
  const operations: readonly Operation[] = needed ?? ['create', 'update', 'delete'];
  const some = (...wanted: readonly Operation[]): boolean => wanted.some((operation) => operations.includes(operation));
  const name = quoteTable(table);
  const lacking = (names: readonly string[], may: 'mayInsert' | 'mayUpdate' | 'maySelect'): string =>
    table.columns
      .filter((column) => names.includes(column.name) && !column[may])
      .map((column) => quoteIdentifier(column.name))
      .join(', ');
  const written = fields.filter((field) => !match.includes(field));
  const columns = [
    { what: "rows can't be found", kind: 'SELECT', names: lacking(some('upsert') ? [...match, ...written] : match, 'maySelect') },
    { what: "rows can't be inserted", kind: 'INSERT', names: some('create', 'upsert') ? lacking([...match, ...written], 'mayInsert') : '' },
    { what: "rows can't be updated", kind: 'UPDATE', names: some('update', 'upsert') ? lacking(written, 'mayUpdate') : '' },
  ];
  return [
    ...(table.mayUse ? [] : [{ what: "the schema can't be used", grant: `GRANT USAGE ON SCHEMA ${quoteIdentifier(table.schema)}` }]),
    ...columns.flatMap(({ what, kind, names }) => (names === '' ? [] : [{ what, grant: `GRANT ${kind} (${names}) ON ${name}` }])),
    ...(some('delete') && !table.mayDelete ? [{ what: "rows can't be deleted", grant: `GRANT DELETE ON ${name}` }] : []),
  ];
}
