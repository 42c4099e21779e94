import { closest } from 'fastest-levenshtein';
import { parseType } from '../../schema/column.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Stream } from '../../schema/stream.ts';
import { tableOf } from './discover.ts';
import type { Session } from './session.ts';
import { quoteIdentifier, quoteLiteral, quoteTable } from './sql.ts';

/** A column that a cursor is on. */
export interface CursorColumn {
  readonly name: string;
  /** Its logical type without modifier. */
  readonly base: string;
  readonly unit: 'time' | 'number';
  /** What bounds are compared as. Without a modifier: a bound rounded to the column's precision could pass rows by. */
  readonly sqlType: string;
  readonly stream: Stream;
}

const comparedAs: Readonly<Record<string, readonly [CursorColumn['unit'], string]>> = {
  smallint: ['number', 'bigint'],
  integer: ['number', 'bigint'],
  bigint: ['number', 'bigint'],
  numeric: ['number', 'numeric'],
  date: ['time', 'date'],
  timestamp: ['time', 'timestamp'],
  timestamptz: ['time', 'timestamptz'],
};

// The zone that sessions of this database begin with, before this one was set to UTC.
const localNow = "(statement_timestamp() AT TIME ZONE (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'))";

/** Conditions that keep values from the future, infinity and NaN from blinding the runs to come. */
const plausible: Readonly<Record<string, (column: string) => string>> = {
  numeric: (column) => `${column} < '1e1000'::numeric`,
  date: (column) => `${column} <= ${localNow}::date`,
  timestamp: (column) => `${column} <= ${localNow}`,
  timestamptz: (column) => `${column} <= statement_timestamp()`,
};

/** The cursor column, once it is sure that a cursor can be on it. Throws `config`. */
export function cursorColumn(stream: Stream, name: string): CursorColumn {
  const column = stream.columns.find((candidate) => candidate.name === name);
  if (column === undefined) {
    const nearest =
      stream.columns.length === 0
        ? 'nothing'
        : closest(
            name,
            stream.columns.map((candidate) => candidate.name),
          );
    throw new MillraceError('config', `stream ${stream.name}: the cursor column ${name} is not there; the nearest name is ${nearest}`);
  }
  const parsed = parseType(column.type);
  const compared = parsed === undefined || parsed.array ? undefined : comparedAs[parsed.base];
  if (parsed === undefined || compared === undefined) {
    throw new MillraceError(
      'config',
      `stream ${stream.name}: ${name} is ${column.type} and can't be a cursor; a cursor is a number, a date or a timestamp`,
    );
  }
  const [unit, sqlType] = compared;
  return { name, base: parsed.base, unit, sqlType, stream };
}

/** A cursor's text as the server spells it. Throws `config` where it isn't one. */
export async function spelled(session: Session, column: CursorColumn, text: string): Promise<string> {
  return computed(
    session,
    `${quoteLiteral(text)}::${column.sqlType}`,
    `stream ${column.stream.name}: ${column.name} can't be compared with the value given`,
  );
}

/** Where a read begins that goes back from the stored cursor. Throws `config` where the look-back isn't in the cursor's unit. */
export async function lookBack(session: Session, column: CursorColumn, cursor: string, back: string | undefined): Promise<string> {
  if (back === undefined) return cursor;
  const what = column.unit === 'number' ? 'a number' : 'an interval (10 minutes, 2 days)';
  const problem = `stream ${column.stream.name}: look_back for the cursor ${column.name} (${column.base}) is ${what}, and not negative`;
  if (back.trim().startsWith('-')) throw new MillraceError('config', problem);
  const length = `${quoteLiteral(back)}::${column.unit === 'number' ? column.sqlType : 'interval'}`;
  return computed(session, `(${quoteLiteral(cursor)}::${column.sqlType} - ${length})::${column.sqlType}`, problem);
}

/** The later of the stored cursor and the one found; null where there is neither. */
export async function later(
  session: Session,
  column: CursorColumn,
  stored: string | undefined,
  found: string | undefined,
): Promise<string | null> {
  if (stored === undefined || found === undefined) return found ?? stored ?? null;
  const sides = [stored, found].map((side) => `${quoteLiteral(side)}::${column.sqlType}`);
  return computed(session, `greatest(${sides.join(', ')})`, `stream ${column.stream.name}: the stored cursor is not a ${column.base}`);
}

/** The greatest value from `from` on that isn't from the future. */
export async function greatestSeen(session: Session, column: CursorColumn, from: string | undefined): Promise<string | undefined> {
  const name = quoteIdentifier(column.name);
  const conditions = [
    `${name} IS NOT NULL`,
    ...(from === undefined ? [] : [`${name} >= ${quoteLiteral(from)}::${column.sqlType}`]),
    ...[plausible[column.base]?.(name)].filter((condition) => condition !== undefined),
  ];
  const [row] = await session.query<{ value: string | null }>(
    `SELECT max(${name})::text AS value FROM ${quoteTable(tableOf(column.stream))} WHERE ${conditions.join(' AND ')}`,
  );
  return row?.value ?? undefined;
}

async function computed(session: Session, sql: string, problem: string): Promise<string> {
  try {
    const [row] = await session.query<{ value: string }>(`SELECT (${sql})::text AS value`);
    return row?.value ?? '';
  } catch (error) {
    throw error instanceof MillraceError && error.code === 'schema' ? new MillraceError('config', problem) : error;
  }
}
