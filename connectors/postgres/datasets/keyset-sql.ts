import type { SortKey } from '../../../schema/dataset.ts';
import type { Columns } from './filter-sql.ts';
import type { Statement } from './statement.ts';
import { comparedAs } from './types.ts';

/** ORDER BY of a read; `backward` turns it around. NULLs are the greatest, as PostgreSQL has it. */
export function orderSql(sort: readonly SortKey[], columns: Columns, backward: boolean): string {
  if (sort.length === 0) return '';
  return `ORDER BY ${sort.map(({ column, descending }) => `${columns.sql(column)}${descending === backward ? '' : ' DESC'}`).join(', ')}`;
}

interface Place {
  readonly sql: string;
  /** The place's value as a parameter; undefined for NULL. */
  readonly value: string | undefined;
  readonly descending: boolean;
  readonly nullable: boolean;
}

/** The condition that a row comes after the place, or before it for `backward`. */
export function afterSql(
  statement: Statement,
  sort: readonly SortKey[],
  from: readonly (string | null)[],
  columns: Columns,
  backward: boolean,
): string {
  const places = sort.map(({ column: name, descending }, at): Place => {
    const column = columns.column(name);
    const value = from[at] ?? null;
    const bound = value === null ? undefined : statement.bind(value, `the cursor's ${JSON.stringify(name)}`, comparedAs(column));
    return { sql: columns.sql(name), value: bound, descending: descending !== backward, nullable: column.nullable };
  });
  return asRows(places) ?? expanded(places);
}

/** `(a, b) > (1, 2)`, which an index answers: where all go one way and no NULL has a place after a value. */
function asRows(places: readonly Place[]): string | undefined {
  const [first] = places;
  if (first === undefined) return undefined;
  const { descending } = first;
  const fits = places.every((place) => place.value !== undefined && place.descending === descending && (descending || !place.nullable));
  if (!fits) return undefined;
  const left = places.map(({ sql }) => sql).join(', ');
  const right = places.map(({ value }) => value).join(', ');
  return `(${left}) ${descending ? '<' : '>'} (${right})`;
}

function expanded(places: readonly Place[]): string {
  const ways = places.map((place, at) => [...places.slice(0, at).map(equal), after(place)].map((one) => `(${one})`).join(' AND '));
  return ways.length === 0 ? 'false' : ways.map((way) => `(${way})`).join(' OR ');
}

const equal = ({ sql, value }: Place): string => (value === undefined ? `${sql} IS NULL` : `${sql} = ${value}`);

function after({ sql, value, descending, nullable }: Place): string {
  if (descending) return value === undefined ? `${sql} IS NOT NULL` : `${sql} < ${value}`;
  if (value === undefined) return 'false';
  return nullable ? `${sql} > ${value} OR ${sql} IS NULL` : `${sql} > ${value}`;
}

/** The opaque cursor of a row, as `readCursor` reads it. */
export function cursorSql(statement: Statement, prefix: string, sort: readonly SortKey[], columns: Columns): string {
  const values = [statement.bind(prefix, 'the cursor', 'text'), ...sort.map(({ column }) => `${columns.sql(column)}::text`)];
  return `translate(encode(convert_to(json_build_array(${values.join(', ')})::text, 'UTF8'), 'base64'), E'+/=\\n', '-_')`;
}
