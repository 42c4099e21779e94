import type { DatasetRead, Filter, OutputField, SortKey } from '../../schema/dataset.ts';
import type { Caller } from '../caller.ts';
import { isUsable, readOf, relationLimit } from '../read.ts';
import { isOrdered } from '../values.ts';
import type { View, ViewRelation } from '../view.ts';
import { bounds, comparedColumn, Filters, masked } from './filters.ts';
import { itemsOf, nearest, shown, type Parameter, type Wrongs } from './parameters.ts';

const settingsOfMany = ['fields', 'sort', 'limit'] as const;
const settingsOfOne = ['fields'] as const;

/** Settings that are lists: written with commas, or given again for each item, as many clients do. */
const listSettings: ReadonlySet<string> = new Set(['fields', 'include', 'sort', 'measures', 'group']);

/** A dataset of a request: the one asked for, or a relation that it includes, with what the parameters say about it. */
export class Level {
  readonly view: View;
  /** `orders.items.`: what names of its parameters begin with. */
  readonly prefix: string;
  /** Names that aren't columns here. */
  readonly settings: readonly string[];
  readonly filterable: boolean;
  readonly given = new Map<string, string>();
  readonly filters = new Filters();
  readonly included = new Map<string, { readonly relation: ViewRelation; readonly level: Level }>();

  constructor(view: View, prefix: string, settings: readonly string[], filterable: boolean) {
    this.view = view;
    this.prefix = prefix;
    this.settings = settings;
    this.filterable = filterable;
  }

  /** Includes a path of relations such as `orders.items`. */
  include(path: string, wrongs: Wrongs): void {
    const dot = path.indexOf('.');
    const name = dot < 0 ? path : path.slice(0, dot);
    const relation = this.view.relations.get(name);
    if (relation === undefined)
      return wrongs.add(
        'include',
        `names "${shown(this.prefix + name)}", which is no relation${nearest(name, this.view.relations.keys())}`,
      );
    if (this.prefix.split('.').length > bounds.depth) return wrongs.add('include', `may go ${bounds.depth} relations deep`);
    const { one } = relation.definition;
    const level =
      this.included.get(name)?.level ?? new Level(relation.view(), `${this.prefix}${name}.`, one ? settingsOfOne : settingsOfMany, !one);
    this.included.set(name, { relation, level });
    if (dot >= 0) level.include(path.slice(dot + 1), wrongs);
  }

  /** Takes a parameter whose name goes on with `rest` at this level; one of a relation includes it. */
  take(parameter: Parameter, rest: string, wrongs: Wrongs): void {
    if (this.settings.includes(rest)) return this.#set(parameter, rest, wrongs);
    const compared = comparedColumn(this.view, rest);
    if (compared !== undefined && this.filterable) return this.filters.add(this.view, compared, parameter, wrongs);
    const dot = rest.indexOf('.');
    const name = dot < 0 ? rest : rest.slice(0, dot);
    if (dot >= 0 && this.#takesRelations && this.view.relations.has(name)) {
      this.include(name, wrongs);
      return this.included.get(name)?.level.take(parameter, rest.slice(dot + 1), wrongs);
    }
    if (compared !== undefined) return wrongs.add(parameter.name, 'is a column, but rows are not filtered here');
    wrongs.add(parameter.name, `is no parameter here${this.#instead(rest)}`);
  }

  /** The relations in and below it. */
  get size(): number {
    return [...this.included.values()].reduce((sum, { level }) => sum + 1 + level.size, 0);
  }

  #set(parameter: Parameter, name: string, wrongs: Wrongs): void {
    const before = this.given.get(name);
    if (before !== undefined && !listSettings.has(name)) wrongs.add(parameter.name, 'is given twice');
    this.given.set(name, before === undefined ? parameter.value : `${before},${parameter.value}`);
  }

  /** Groups have none. */
  get #takesRelations(): boolean {
    return this.prefix !== '' || this.settings.includes('include');
  }

  /** The name that may have been meant, or what there is. */
  #instead(rest: string): string {
    const near = nearest(rest.replace(/\[[^\]]*\]$/, ''), this.#names());
    return near !== '' ? near : `: it takes ${this.settings.join(', ')}${this.filterable ? ', and columns to filter by' : ''}`;
  }

  *#names(): Iterable<string> {
    yield* this.settings;
    if (this.filterable) yield* this.view.columns.keys();
    if (this.#takesRelations) yield* this.view.relations.keys();
  }
}

/** Columns by `fields`, or all that are seen, and the included relations. */
export function fieldsOf(level: Level, caller: Caller, wrongs: Wrongs, rowsAbove: number): readonly OutputField[] {
  const relations = [...level.included].map(([as, { relation, level: inner }]): OutputField => {
    const { on, one } = relation.definition;
    return { kind: 'relation', as, on, read: relationRead(inner, caller, one, wrongs, rowsAbove) };
  });
  return [...columnFields(level, wrongs), ...relations];
}

function columnFields(level: Level, wrongs: Wrongs): readonly OutputField[] {
  const { view } = level;
  const given = level.given.get('fields');
  const items = given === undefined ? [...view.columns.keys()] : itemsOf(given);
  if (given !== undefined && items.length > bounds.fields) wrongs.add(`${level.prefix}fields`, `may have at most ${bounds.fields} columns`);
  const names = [...new Set(items)].slice(0, bounds.fields);
  return names.flatMap((name): OutputField[] => {
    const found = view.columns.get(name);
    if (found !== undefined) return [{ kind: 'column', as: name, column: name, ...(found.mask === undefined ? {} : { mask: found.mask }) }];
    const near = view.relations.has(name) ? ': relations are named by include' : nearest(name, view.columns.keys());
    wrongs.add(`${level.prefix}fields`, `names "${shown(name)}", which is no column${near}`);
    return [];
  });
}

function relationRead(level: Level, caller: Caller, one: boolean, wrongs: Wrongs, rowsAbove: number): DatasetRead {
  const limit = one ? 1 : limitOf(level, Math.min(relationLimit, level.view.limit.default), wrongs);
  const rows = rowsAbove * limit;
  if (rows > bounds.rows && rowsAbove <= bounds.rows)
    wrongs.add(`${level.prefix}limit`, `lets the answer have ${rows} rows: lower the limits until it is at most ${bounds.rows}`);
  const filter: Filter | undefined = level.filters.all;
  return readOf(level.view, caller, {
    fields: fieldsOf(level, caller, wrongs, rows),
    ...(filter === undefined ? {} : { filter }),
    sort: sortOf(level, wrongs),
    limit,
    shape: one ? { kind: 'one' } : { kind: 'rows' },
  });
}

/** The level's `limit`, or the default. */
export function limitOf(level: Level, otherwise: number, wrongs: Wrongs): number {
  const given = level.given.get('limit');
  if (given === undefined) return otherwise;
  const { max } = level.view.limit;
  const limit = /^[0-9]{1,5}$/.test(given) ? Number(given) : 0;
  if (limit >= 1 && limit <= max) return limit;
  wrongs.add(`${level.prefix}limit`, `must be a whole number from 1 to ${max}`);
  return otherwise;
}

/** The level's `sort`: names of columns, `-` before those that descend. */
export function sortOf(level: Level, wrongs: Wrongs): readonly SortKey[] {
  const given = level.given.get('sort');
  if (given === undefined) return [];
  const at = `${level.prefix}sort`;
  const items = itemsOf(given);
  if (items.length > bounds.sortKeys) wrongs.add(at, `may have at most ${bounds.sortKeys} columns`);
  return items.slice(0, bounds.sortKeys).flatMap((item) => {
    const descending = item.startsWith('-') && !level.view.columns.has(item);
    const column = descending ? item.slice(1) : item;
    const wrong = wrongOrder(level.view, column);
    if (wrong === undefined) return [{ column, descending }];
    wrongs.add(at, wrong);
    return [];
  });
}

/** Why rows can't be put in order or groups by a column. */
export function wrongOrder(view: View, name: string): string | undefined {
  const found = view.columns.get(name);
  if (found === undefined) return `names "${shown(name)}", which is no column${nearest(name, view.columns.keys())}`;
  if (!isUsable(view, name)) return `names "${name}", which ${masked}`;
  return isOrdered(found.column) ? undefined : `names "${name}", which has no order: it is of the type ${found.column.type}`;
}
