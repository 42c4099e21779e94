import type { Column } from '../../schema/column.ts';
import { parseType } from '../../schema/column.ts';
import type { Step } from '../../schema/step.ts';
import type { Stream } from '../../schema/stream.ts';
import { filterConditions, type Projected } from './pushdown-filter.ts';
import { quoteIdentifier, quoteLiteral } from './sql.ts';
import { isText, sqlType } from './types.ts';

export interface Projection {
  readonly columns: readonly Projected[];
  /** Conditions of filters, all of which must hold. */
  readonly conditions: readonly string[];
  /** How many leading steps the query does. */
  readonly stepsTaken: number;
}

type Taken = Pick<Projection, 'columns' | 'conditions'>;

/** White space that `trim` removes: space, tab, line feed, vertical tab, form feed, carriage return, no-break space. */
const whiteSpace = String.raw`E' \t\n\x0B\f\r\u00A0'`;

/**
 * Compiles leading steps into the query, in order, up to the first one that a query can't do row by row with the same outcome, or that
 * names a column that isn't there: that one and those after it are left to the transform, which reports what is wrong with them.
 */
export function project(stream: Pick<Stream, 'columns'>, steps: readonly Step[]): Projection {
  let taken: Taken = { columns: stream.columns.map(plainColumn), conditions: [] };
  let stepsTaken = 0;
  for (const step of steps) {
    const next = take(taken, step);
    if (next === undefined) break;
    taken = next;
    stepsTaken += 1;
  }
  return { ...taken, stepsTaken };
}

function plainColumn({ name, type }: Column): Projected {
  return { name, type, sql: `${quoteIdentifier(name)}::${sqlType(type)}` };
}

function take(so: Taken, step: Step): Taken | undefined {
  if ('select' in step) return withColumns(so, pick(so.columns, step.select));
  if ('drop' in step) return withColumns(so, leaveOut(so.columns, step.drop));
  if ('rename' in step) return withColumns(so, rename(so.columns, step.rename));
  if ('trim' in step) return withColumns(so, changeTexts(so.columns, step.trim === 'all' ? undefined : step.trim, trimmed));
  if ('nullif' in step) {
    const { columns, values } = Array.isArray(step.nullif) ? { columns: undefined, values: step.nullif } : step.nullif;
    return withColumns(
      so,
      changeTexts(so.columns, columns, (sql) => nullified(sql, values)),
    );
  }
  if ('filter' in step && typeof step.filter !== 'string') return filtered(so, step.filter);
  return undefined;
}

function withColumns(so: Taken, columns: readonly Projected[] | undefined): Taken | undefined {
  return columns === undefined || columns.length === 0 ? undefined : { ...so, columns };
}

function filtered(so: Taken, filter: Parameters<typeof filterConditions>[1]): Taken | undefined {
  const conditions = filterConditions(so.columns, filter);
  return conditions === undefined ? undefined : { ...so, conditions: [...so.conditions, ...conditions] };
}

function pick(columns: readonly Projected[], names: readonly string[]): readonly Projected[] | undefined {
  const picked = names.map((name) => columns.find((column) => column.name === name));
  const whole = picked.filter((column) => column !== undefined);
  return whole.length === names.length && new Set(names).size === names.length ? whole : undefined;
}

function leaveOut(columns: readonly Projected[], names: readonly string[]): readonly Projected[] | undefined {
  return allThere(columns, names) ? columns.filter(({ name }) => !names.includes(name)) : undefined;
}

function rename(columns: readonly Projected[], names: Readonly<Record<string, string>>): readonly Projected[] | undefined {
  if (!allThere(columns, Object.keys(names))) return undefined;
  const renamed = columns.map((column) => ({
    ...column,
    name: Object.hasOwn(names, column.name) ? (names[column.name] ?? '') : column.name,
  }));
  return new Set(renamed.map(({ name }) => name)).size === renamed.length ? renamed : undefined;
}

function changeTexts(
  columns: readonly Projected[],
  names: readonly string[] | undefined,
  change: (sql: string) => string,
): readonly Projected[] | undefined {
  if (names !== undefined && !allThere(columns, names)) return undefined;
  const wanted = (column: Projected): boolean => isText(column.type) && (names === undefined || names.includes(column.name));
  return columns.map((column) => (wanted(column) ? { ...column, sql: change(asText(column)) } : column));
}

/** A char(n) keeps its padding as text, as it does in a staged file; a plain cast would drop it. */
function asText(column: Projected): string {
  return parseType(column.type)?.base === 'char' && column.sql.endsWith(`::${sqlType(column.type)}`)
    ? `textin(bpcharout(${column.sql}))`
    : `(${column.sql})::text`;
}

function trimmed(sql: string): string {
  return `btrim(${sql}, ${whiteSpace})`;
}

function nullified(sql: string, values: readonly string[]): string {
  return values.reduce((inner, value) => `nullif(${inner} COLLATE "C", ${quoteLiteral(value)})`, sql);
}

function allThere(columns: readonly Column[], names: readonly string[]): boolean {
  return names.every((name) => columns.some((column) => column.name === name));
}
