import { MillraceError } from '../../schema/errors.ts';
import type { PlanRequest } from '../connector.ts';
import type { Bound } from './cursor-bound.ts';
import { takeBound } from './cursor-bound.ts';
import type { CursorColumn } from './cursor-column.ts';
import { cursorColumn, greatestSeen, later, lookBack, spelled } from './cursor-column.ts';
import { tableOf } from './discover.ts';
import type { Session } from './session.ts';
import type { CursorRange } from './source-range.ts';
import { quoteIdentifier, quoteTable } from './sql.ts';

/** What a run reads of a stream by its cursor, and what the commit stores. */
export interface Increment {
  readonly range: CursorRange | null;
  readonly next: string | null;
  readonly complete: boolean;
  readonly notes: readonly string[];
}

/** Why rows can commit behind a cursor of the type, whatever the server tells of its transactions. */
const blindTypes: Readonly<Record<string, string>> = {
  smallint: 'a number says nothing about when its row was committed',
  integer: 'a number says nothing about when its row was committed',
  bigint: 'a number says nothing about when its row was committed',
  numeric: 'a number says nothing about when its row was committed',
  date: 'a date is coarser than a transaction',
  timestamp: 'a timestamp without time zone is in the zone of whoever wrote it, and goes back an hour every autumn',
};

/** Fixes the increment. Called before any partition is read, so that the bound is older than every snapshot. */
export async function planIncrement(session: Session, request: PlanRequest): Promise<Increment> {
  const { definition, stream } = request;
  if (request.window !== undefined) return planWindow(session, request);
  if (definition.cursor === undefined || definition.mode === 'replace') return { range: null, next: null, complete: true, notes: [] };
  const column = cursorColumn(stream, definition.cursor);
  await checkNulls(session, column, request);
  return planFrom(session, request, column, await columnBound(session, column));
}

async function columnBound(session: Session, column: CursorColumn): Promise<Bound> {
  const reason = blindTypes[column.base];
  return reason === undefined ? takeBound(session, tableOf(column.stream)) : { known: false, reason, remedy: undefined };
}

async function planFrom(session: Session, request: PlanRequest, column: CursorColumn, bound: Bound): Promise<Increment> {
  const { mode, nullCursor, lookBack: back } = request.definition;
  if (!bound.known) requireLookBack(request, column, bound);
  const from = request.cursor === undefined ? undefined : await lookBack(session, column, request.cursor, back);
  const next = await later(session, column, request.cursor, bound.known ? bound.bound : await greatestSeen(session, column, from));
  const to = mode === 'append' && bound.known ? (next ?? undefined) : undefined;
  const nulls = nullCursor === 'include';
  return {
    range: range(column, from, to, nulls),
    next,
    complete: from === undefined && to === undefined && nulls,
    notes: bound.known ? bound.notes : [],
  };
}

function range(column: CursorColumn, from: string | undefined, to: string | undefined, nulls: boolean): CursorRange {
  return {
    column: column.name,
    type: column.sqlType,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    nulls,
  };
}

async function planWindow(session: Session, request: PlanRequest): Promise<Increment> {
  const { definition, stream, window } = request;
  if (definition.cursor === undefined) {
    throw new MillraceError('config', `stream ${stream.name}: a window (--from, --to) needs a cursor column`);
  }
  const column = cursorColumn(stream, definition.cursor);
  const from = window?.from === undefined ? undefined : await spelled(session, column, window.from);
  const to = window?.to === undefined ? undefined : await spelled(session, column, window.to);
  return { range: range(column, from, to, false), next: null, complete: false, notes: [] };
}

function requireLookBack(request: PlanRequest, column: CursorColumn, { reason, remedy }: Extract<Bound, { known: false }>): void {
  const { definition, stream } = request;
  const place = `stream ${stream.name}, cursor ${column.name}`;
  if (definition.lookBack === undefined) {
    const example = column.unit === 'number' ? '1000' : column.base === 'date' ? '2 days' : '2 hours';
    throw new MillraceError(
      'config',
      `${place}: ${reason}, so rows could be committed behind the cursor and never be read; ` +
        `${remedy === undefined ? '' : `${remedy}, or `}set look_back (for instance ${example}) to read that far back each time`,
    );
  }
  if (definition.mode === 'append' && !hasKey(request)) {
    throw new MillraceError('config', `${place}: append with look_back reads rows again and needs a key to drop them; set key`);
  }
}

function hasKey({ definition, stream }: PlanRequest): boolean {
  return definition.key.length > 0 || stream.key.length > 0;
}

async function checkNulls(session: Session, column: CursorColumn, request: PlanRequest): Promise<void> {
  const { mode, nullCursor, lookBack: back } = request.definition;
  // The load drops by key what it has, NULL cursors too, but only where a look-back tells it that rows come again.
  const doubles = mode === 'append' && (back === undefined || !hasKey(request));
  if (nullCursor === 'exclude' || (nullCursor === 'include' && !doubles)) return;
  const found = await session.query(
    `SELECT FROM ${quoteTable(tableOf(column.stream))} WHERE ${quoteIdentifier(column.name)} IS NULL LIMIT 1`,
  );
  if (found.length === 0) return;
  const place = `stream ${column.stream.name}: there are rows without ${column.name}`;
  throw nullCursor === 'fail'
    ? new MillraceError('schema', `${place}, and null_cursor is fail; give them a value, or set null_cursor to include or exclude`)
    : new MillraceError(
        'config',
        `${place}, which append would load in every run; set null_cursor to exclude, or look_back and a key, or mode to merge`,
      );
}
