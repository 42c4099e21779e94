import type { DatasetRead, PageMember, SortKey } from '../../schema/dataset.ts';
import { everyRow } from '../../schema/dataset.ts';
import type { Caller } from '../caller.ts';
import { badRequest } from '../problem.ts';
import { cursorPlace, readOf } from '../read.ts';
import type { View } from '../view.ts';
import { bounds } from './filters.ts';
import { fieldsOf, Level, limitOf, sortOf } from './level.ts';
import { itemsOf, type Parameter, Wrongs } from './parameters.ts';

/** Names of parameters of each path that aren't columns. */
export const settings = {
  list: ['fields', 'include', 'sort', 'limit', 'cursor', 'count', 'format'],
  get: ['fields', 'include'],
  aggregate: ['measures', 'group'],
} as const;

/** Views that a question touches, itself first: whose APIs and tables an answer depends on. */
function viewsOf(level: Level): readonly View[] {
  return [level.view, ...[...level.included.values()].flatMap(({ level: inner }) => viewsOf(inner))];
}

/** Sorts the parameters into levels. */
export function levelsOf(
  view: View,
  parameters: readonly Parameter[],
  names: readonly string[],
  filterable: boolean,
  wrongs: Wrongs,
): Level {
  const root = new Level(view, '', names, filterable);
  // Each may be looked up among all names, so too many aren't even read.
  if (parameters.length > bounds.filters) {
    wrongs.add('query', `may have at most ${bounds.filters} parameters`);
    return root;
  }
  const paths = names.includes('include') ? parameters.filter(({ name }) => name === 'include').flatMap(({ value }) => itemsOf(value)) : [];
  if (paths.length > bounds.relations) wrongs.add('include', `may have at most ${bounds.relations} items`);
  for (const path of paths.slice(0, bounds.relations)) root.include(path, wrongs);
  for (const parameter of parameters) root.take(parameter, parameter.name, wrongs);
  if (root.size > bounds.relations) wrongs.add('include', `may name at most ${bounds.relations} relations`);
  return root;
}

export interface ListQuestion {
  readonly read: DatasetRead;
  readonly views: readonly View[];
}

/** The read that the parameters of a list ask for; for an export without counts and pages. Throws 400 with all that is wrong. */
export function listQuestion(view: View, caller: Caller, parameters: readonly Parameter[], streamed: boolean): ListQuestion {
  const wrongs = new Wrongs();
  const level = levelsOf(view, parameters, settings.list, true, wrongs);
  const sort = sortOf(level, wrongs);
  const limit = streamed ? exportLimitOf(level, wrongs) : limitOf(level, view.limit.default, wrongs);
  const fields = fieldsOf(level, caller, wrongs, streamed ? 1 : limit);
  const filter = level.filters.all;
  const count = countOf(level, wrongs);
  const from = cursorOf(level, caller, sort, wrongs);
  if (streamed && level.given.has('count')) wrongs.add('count', 'is for pages of JSON alone');
  if (wrongs.errors.length > 0) throw badRequest(wrongs.errors);
  const read = readOf(view, caller, {
    fields,
    ...(filter === undefined ? {} : { filter }),
    ...(from === undefined ? {} : { from }),
    sort,
    limit,
    shape: streamed ? { kind: 'rows' } : { kind: 'object', members: pageMembers(count) },
  });
  return { read, views: viewsOf(level) };
}

/** `next` is last: the Link header is read from the end of the answer. */
function pageMembers(count: PageMember | undefined): readonly PageMember[] {
  return [{ kind: 'rows', as: 'data' }, ...(count === undefined ? [] : [count]), { kind: 'next', as: 'next' }];
}

function countOf(level: Level, wrongs: Wrongs): PageMember | undefined {
  const given = level.given.get('count');
  if (given === undefined) return undefined;
  if (given === 'exact' || given === 'estimated') return { kind: 'count', as: 'count', exact: given === 'exact' };
  wrongs.add('count', 'must be exact or estimated');
  return undefined;
}

function exportLimitOf(level: Level, wrongs: Wrongs): number {
  const given = level.given.get('limit');
  if (given === undefined) return everyRow;
  if (/^[1-9][0-9]{0,14}$/.test(given)) return Number(given);
  wrongs.add('limit', 'must be a whole number from 1');
  return 1;
}

function cursorOf(level: Level, caller: Caller, sort: readonly SortKey[], wrongs: Wrongs): readonly (string | null)[] | undefined {
  const given = level.given.get('cursor');
  if (given === undefined) return undefined;
  const place = cursorPlace(level.view, caller, sort, given);
  if (place === undefined) wrongs.add('cursor', 'is none of this list: take "next" of an answer with the same sort, or begin without it');
  return place;
}

export interface GetQuestion {
  readonly read: DatasetRead;
  readonly views: readonly View[];
}

/** The read of one row, still without its key. */
export function getQuestion(view: View, caller: Caller, parameters: readonly Parameter[]): GetQuestion {
  const wrongs = new Wrongs();
  const level = levelsOf(view, parameters, settings.get, false, wrongs);
  const fields = fieldsOf(level, caller, wrongs, 1);
  if (wrongs.errors.length > 0) throw badRequest(wrongs.errors);
  return { read: readOf(view, caller, { fields, sort: [], limit: 1, shape: { kind: 'one' } }), views: viewsOf(level) };
}
