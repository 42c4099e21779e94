import { comparisons, type Comparison, type DatasetColumn, type Filter } from '../../schema/dataset.ts';
import { isUsable } from '../read.ts';
import { comparisonsOf, wrongValue } from '../values.ts';
import type { View } from '../view.ts';
import { itemsOf, nearest, type Parameter, type Wrongs } from './parameters.ts';

/** Bounds of what one request may ask for. */
export const bounds = {
  filters: 200,
  listItems: 200,
  sortKeys: 8,
  depth: 4,
  relations: 10,
  rows: 100_000,
  keys: 100,
  fields: 1000,
  groups: 20,
  measures: 20,
} as const;

export const masked = 'is masked and can only be shown';

/** A parameter's name as a column and a comparison: `total[gte]`, or `total` for `eq`. Undefined when the view has no such column. */
export function comparedColumn(view: View, name: string): { readonly column: string; readonly op: string } | undefined {
  if (view.columns.has(name)) return { column: name, op: 'eq' };
  const match = /^([^]*)\[([^\]]*)\]$/.exec(name);
  const [, column = '', op = ''] = match ?? [];
  return match !== null && view.columns.has(column) ? { column, op } : undefined;
}

/** The filters of a level; lists that are repeated are one list. */
export class Filters {
  readonly #lists = new Map<string, string[]>();
  readonly filters: Filter[] = [];

  /** Adds what a parameter asks for, or says what is wrong with it. */
  add(view: View, compared: { readonly column: string; readonly op: string }, parameter: Parameter, wrongs: Wrongs): void {
    const column = view.columns.get(compared.column)?.column;
    if (column === undefined) return;
    if (!isUsable(view, compared.column)) return wrongs.add(parameter.name, masked);
    const op = comparisons.find((one) => one === compared.op);
    const allowed = comparisonsOf(column);
    if (op === undefined || !allowed.includes(op)) {
      const near = op === undefined ? nearest(compared.op, allowed) : '';
      return wrongs.add(parameter.name, `is no comparison of a column of the type ${column.type}: it has ${allowed.join(', ')}${near}`);
    }
    this.#compare(column, op, parameter, wrongs);
  }

  #compare(column: DatasetColumn, op: Comparison, { name, value }: Parameter, wrongs: Wrongs): void {
    if (op === 'null') {
      if (value === 'true' || value === 'false') this.filters.push({ kind: 'compare', column: column.name, op, value: value === 'true' });
      else wrongs.add(name, 'must be true or false');
      return;
    }
    if (op === 'in' || op === 'not_in') return this.#list(column, op, { name, value }, wrongs);
    const wrong = wrongValue(column, value);
    if (wrong === undefined) this.filters.push({ kind: 'compare', column: column.name, op, value });
    else wrongs.add(name, wrong);
  }

  #list(column: DatasetColumn, op: 'in' | 'not_in', { name, value }: Parameter, wrongs: Wrongs): void {
    const items = itemsOf(value);
    const wrong = items.map((item) => wrongValue(column, item)).find((message) => message !== undefined);
    if (wrong !== undefined) return wrongs.add(name, `has an item that ${wrong}`);
    const key = `${op} ${column.name}`;
    const known = this.#lists.get(key);
    if (known === undefined) {
      const list = [...items];
      this.#lists.set(key, list);
      this.filters.push({ kind: 'compare', column: column.name, op, value: list });
    } else known.push(...items);
    if ((known?.length ?? items.length) > bounds.listItems) wrongs.add(name, `may have at most ${bounds.listItems} items`);
  }

  get all(): Filter | undefined {
    return this.filters.length > 1 ? { kind: 'and', filters: this.filters } : this.filters[0];
  }
}
