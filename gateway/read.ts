import {
  readCursor,
  type DatasetColumn,
  type DatasetRead,
  type Filter,
  type OutputField,
  type ReadShape,
  type SortKey,
} from '../schema/dataset.ts';
import type { Caller } from './caller.ts';
import { isCursorValue } from './values.ts';
import { rulesOf, type View } from './view.ts';

/** Rows of a relation when it isn't said how many. */
export const relationLimit = 10;

/** What a caller wants of a view, all of it checked. */
export interface Wanted {
  readonly fields: readonly OutputField[];
  readonly filter?: Filter;
  /** The key is added at its end. */
  readonly sort: readonly SortKey[];
  readonly limit: number;
  readonly from?: readonly (string | null)[];
  readonly backward?: boolean;
  readonly shape: ReadShape;
}

/** The sort with the key at its end: total, so that cursors have a place in it. */
function totalSort(view: View, sort: readonly SortKey[]): readonly SortKey[] {
  const first = sort.filter(({ column }, index) => sort.findIndex((other) => other.column === column) === index);
  const rest = view.key.filter((column) => !first.some((one) => one.column === column));
  return [...first, ...rest.map((column) => ({ column, descending: false }))];
}

/** What cursors of this view, role and sort begin with: one made by another role, or for another sort, is none here. */
function cursorPrefix(view: View, caller: Pick<Caller, 'role'>, sort: readonly SortKey[]): string {
  const order = totalSort(view, sort).map(({ column, descending }) => `${descending ? '-' : ''}${column}`);
  return [view.name, caller.role ?? '', ...order].join(' ');
}

/** The place of a cursor in a view's rows; undefined when it is none of this view, role and sort. */
export function cursorPlace(
  view: View,
  caller: Pick<Caller, 'role'>,
  sort: readonly SortKey[],
  cursor: string,
): readonly (string | null)[] | undefined {
  const total = totalSort(view, sort);
  const place = readCursor(cursor, cursorPrefix(view, caller, sort), total.length);
  const fits = place?.every((value, index) => {
    const column = view.columns.get(total[index]?.column ?? '')?.column;
    return value === null || (column !== undefined && isCursorValue(column, value));
  });
  return fits === true ? place : undefined;
}

/** The read of a view, with the rules of the caller's role. */
export function readOf(view: View, caller: Caller, wanted: Wanted): DatasetRead {
  const { sort, ...rest } = wanted;
  return {
    kind: 'read',
    source: view.source,
    rules: rulesOf(view, caller),
    columns: columnsOf(view),
    sort: totalSort(view, sort),
    cursorPrefix: cursorPrefix(view, caller, sort),
    ...rest,
  };
}

const known = new WeakMap<View, Readonly<Record<string, DatasetColumn>>>();

/** Columns that SQL of a view needs, by name; one object for a view. */
export function columnsOf(view: View): Readonly<Record<string, DatasetColumn>> {
  const found = known.get(view);
  if (found !== undefined) return found;
  const seen = [...view.columns.values()].map(({ column }) => column);
  const made = Object.fromEntries([...view.ties, ...seen].map((column) => [column.name, column]));
  known.set(view, made);
  return made;
}

/** Whether a column may be filtered, sorted, grouped or measured by: a mask would be seen through. */
export function isUsable(view: View, name: string): boolean {
  const found = view.columns.get(name);
  return found !== undefined && found.mask === undefined;
}
