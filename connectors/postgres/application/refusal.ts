import pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import { ExactNumber, jsonText } from '../../../schema/value.ts';
import type { OutgoingRow } from '../../application.ts';
import { withoutValues } from '../../without-values.ts';
import type { TargetTable } from './table.ts';

/** Classes of SQLSTATE that say something of the rows: two of a batch are one, values, constraints, views' checks, what triggers raise. */
const dataClasses: ReadonlySet<string> = new Set(['21', '22', '23', '44', 'P0']);

/** Does the server refuse what the rows hold? A policy of the table does so under a code that else means missing grants. */
function isAboutRows(error: pg.DatabaseError): boolean {
  const state = error.code ?? '';
  return dataClasses.has(state.slice(0, 2)) || (state === '42501' && error.message.includes('row-level security'));
}

/** Values stand in quotes in messages about values, and may be anywhere in those that triggers raise; constraints' messages name objects only. */
function reasonOf(error: pg.DatabaseError, rows: readonly OutgoingRow[]): string {
  const state = error.code ?? '';
  if (state.startsWith('22')) return error.message.replace(/:?\s*".*"/s, '');
  if (!state.startsWith('P0')) return error.message;
  const [only, ...others] = rows;
  if (only === undefined || others.length > 0) return 'a trigger refused a row of the batch';
  const values = Object.values({ ...only.match, ...only.fields }).flatMap((value) =>
    value === null ? [] : [typeof value === 'string' ? value : jsonText(value)],
  );
  return withoutValues(
    error.message,
    values.filter((value) => value.length > 2),
  );
}

/** The failure of a batch for what its rows hold, as `rejected`; undefined when it is about something else. */
export function refusalOf(error: unknown, rows: readonly OutgoingRow[], field?: string): MillraceError | undefined {
  if (!(error instanceof pg.DatabaseError) || !isAboutRows(error)) return undefined;
  const place = field === undefined ? '' : `field ${field}: `;
  return new MillraceError('rejected', `${place}${reasonOf(error, rows)} (SQLSTATE ${error.code})`);
}

/** The field of a lone row whose value its column doesn't take; undefined where it can't be told: several rows, another reason, a server before 16. */
export async function findField(
  client: pg.Client,
  error: unknown,
  [row, ...others]: readonly OutgoingRow[],
  table: TargetTable,
): Promise<string | undefined> {
  if (!(error instanceof pg.DatabaseError) || error.code?.startsWith('22') !== true || row === undefined || others.length > 0)
    return undefined;
  const given = Object.entries({ ...row.match, ...row.fields }).flatMap(([name, value]) => {
    const column = table.columns.find((each) => each.name === name);
    const isScalar = typeof value !== 'object' || value instanceof ExactNumber;
    return column === undefined || value === null || !isScalar || column.base === 'bytea' ? [] : [{ name, value, type: column.declared }];
  });
  const { rows } = await client
    .query<{ name: string }>(
      'SELECT name FROM unnest($1::text[], $2::text[], $3::text[]) v (name, value, type) WHERE NOT pg_catalog.pg_input_is_valid(value, type) LIMIT 1',
      [given.map(({ name }) => name), given.map(({ value }) => String(value)), given.map(({ type }) => type)],
    )
    .catch(() => ({ rows: [] }));
  return rows[0]?.name;
}

/** May a COMMIT that failed so have had its effect? Not when the server itself refused it. */
export function isInDoubt(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return true;
  return /^(08|57P|25P04|40003|58|XX)/.test(error.code ?? '');
}
