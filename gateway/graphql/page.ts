import type { FieldNode } from 'graphql';
import type { SortKey } from '../../schema/dataset.ts';
import type { Caller } from '../caller.ts';
import { cursorPlace, relationLimit, type Wanted } from '../read.ts';
import { filterOf } from './filter.ts';
import { inputFailure } from './failure.ts';
import type { RowType } from './row-type.ts';

const mostSortKeys = 8;

/** The part of a read that arguments decide. */
export type Page = Pick<Wanted, 'filter' | 'sort' | 'limit' | 'from' | 'backward'>;

export type Arguments = Readonly<Record<string, unknown>>;

/** The number of rows of an argument. Throws when it is more than the API gives. */
export function limitOf(type: RowType, name: string, value: unknown, otherwise: number, node: FieldNode): number {
  const { max } = type.view.limit;
  if (value === undefined || value === null) return Math.min(otherwise, max);
  if (typeof value === 'number' && value >= 0 && value <= max) return value;
  throw inputFailure(`"${name}" must be from 0 to ${max}.`, node);
}

/** `filter`, `sort` and `limit` of a list without cursors. */
export function listOf(type: RowType, given: Arguments, node: FieldNode): Page {
  const limit = limitOf(type, 'limit', given['limit'], relationLimit, node);
  return { ...filtered(type, given, node), sort: sortOf(given, node), limit };
}

/** The arguments of a connection: `first` with `after`, or `last` with `before`. */
export function pageOf(type: RowType, caller: Caller, given: Arguments, otherwise: number, node: FieldNode): Page {
  const isGiven = (name: string): boolean => given[name] !== undefined && given[name] !== null;
  const backward = isGiven('last') || isGiven('before');
  if (backward && (isGiven('first') || isGiven('after')))
    throw inputFailure('"first" and "after" read forward, "last" and "before" backward: give only one of the two.', node);
  const [count, cursor] = backward ? (['last', 'before'] as const) : (['first', 'after'] as const);
  const sort = sortOf(given, node);
  const text = given[cursor];
  return {
    ...filtered(type, given, node),
    sort,
    limit: limitOf(type, count, given[count], otherwise, node),
    ...(typeof text === 'string' ? { from: placeOf(type, caller, sort, cursor, text, node) } : {}),
    ...(backward ? { backward } : {}),
  };
}

function placeOf(
  type: RowType,
  caller: Caller,
  sort: readonly SortKey[],
  name: string,
  cursor: string,
  node: FieldNode,
): readonly (string | null)[] {
  const place = cursorPlace(type.view, caller, sort, cursor);
  if (place === undefined) throw inputFailure(`"${name}" is no cursor of this field with this sort.`, node);
  return place;
}

function filtered(type: RowType, given: Arguments, node: FieldNode): Pick<Wanted, 'filter'> {
  const filter = filterOf(type, given['filter'], node);
  return filter === undefined ? {} : { filter };
}

/** Values of the enum are `SortKey`s already. */
function sortOf(given: Arguments, node: FieldNode): readonly SortKey[] {
  const sort: readonly SortKey[] = Array.isArray(given['sort']) ? given['sort'] : [];
  if (sort.length > mostSortKeys) throw inputFailure(`"sort" may have at most ${mostSortKeys} columns.`, node);
  return sort;
}
