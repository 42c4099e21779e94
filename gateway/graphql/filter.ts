import type { FieldNode } from 'graphql';
import { comparisons, type Comparison, type DatasetColumn, type Filter } from '../../schema/dataset.ts';
import { wrongValue } from '../values.ts';
import { inputFailure, tooLarge } from './failure.ts';
import type { RowType } from './row-type.ts';

/** Bounds of one filter. */
const filterBounds = { conditions: 50, listItems: 200 } as const;

/** The value of an argument `filter`, which GraphQL has checked against its type, as conditions on columns. */
export function filterOf(type: RowType, value: unknown, node: FieldNode): Filter | undefined {
  if (value === undefined || value === null) return undefined;
  let conditions = 0;
  const count = (): void => {
    conditions += 1;
    if (conditions > filterBounds.conditions) throw tooLarge(`A filter may have at most ${filterBounds.conditions} conditions.`, node);
  };

  const all = (filter: unknown): Filter => {
    const filters = Object.entries(isObject(filter) ? filter : {}).flatMap(([name, part]) => member(name, part));
    return filters.length === 1 && filters[0] !== undefined ? filters[0] : { kind: 'and', filters };
  };

  const member = (name: string, part: unknown): readonly Filter[] => {
    if (part === null) throw inputFailure(`"${name}" of a filter must not be null; what is NULL is asked for by { null: true }.`, node);
    count();
    if (name === 'not') return [{ kind: 'not', filter: all(part) }];
    if (name === 'and' || name === 'or') return [{ kind: name, filters: Array.isArray(part) ? part.map(all) : [] }];
    const column = type.view.columns.get(type.columns.get(name) ?? '')?.column;
    if (column === undefined) throw inputFailure(`"${name}" is nothing to filter by.`, node);
    const compared = Object.entries(isObject(part) ? part : {});
    return compared.map(([op, operand]) => {
      count();
      return compare(column, name, op, operand, node);
    });
  };

  const made = all(value);
  return made.kind === 'and' && made.filters.length === 0 ? undefined : made;
}

/** One comparison; the value of a column of its type, as text. */
export function compare(column: DatasetColumn, name: string, op: string, operand: unknown, node: FieldNode): Filter {
  const at = `"${name}.${op}" of a filter`;
  if (operand === null || operand === undefined)
    throw inputFailure(`${at} must not be null; what is NULL is asked for by { null: true }.`, node);
  const comparison = comparisons.find((one): one is Comparison => one === op)!;
  if (comparison === 'null') return { kind: 'compare', column: column.name, op: comparison, value: operand === true };
  if (!Array.isArray(operand)) return { kind: 'compare', column: column.name, op: comparison, value: checked(column, at, operand, node) };
  if (operand.length > filterBounds.listItems) throw tooLarge(`${at} may have at most ${filterBounds.listItems} items.`, node);
  return { kind: 'compare', column: column.name, op: comparison, value: operand.map((item) => checked(column, at, item, node)) };
}

function checked(column: DatasetColumn, at: string, value: unknown, node: FieldNode): string {
  const text = String(value);
  const wrong = wrongValue(column, text);
  if (wrong !== undefined) throw inputFailure(`${at} ${wrong}.`, node);
  return text;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
