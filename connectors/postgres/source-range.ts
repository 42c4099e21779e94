import { z } from 'zod';
import { quoteIdentifier, quoteLiteral } from './sql.ts';

/** From a text inclusive, to a text exclusive; open where absent. */
const ends = { from: z.string().optional(), to: z.string().optional() };

/** What one partition of a table reads. */
const rangeSchema = z.strictObject({
  /** A share of the key's values, by the key's own order; null for all. */
  key: z.strictObject({ column: z.string(), type: z.string(), ...ends }).nullable(),
  /** The increment; null without a cursor. */
  cursor: z.strictObject({ column: z.string(), type: z.string(), ...ends, nulls: z.boolean() }).nullable(),
});
export type Range = z.infer<typeof rangeSchema>;
export type KeyRange = NonNullable<Range['key']>;
export type CursorRange = NonNullable<Range['cursor']>;

/** A partition's range as this source wrote it. */
export function parseRange(range: unknown): Range {
  return rangeSchema.parse(range);
}

/** SQL conditions, all of which must hold; none for everything. */
export function rangeConditions(range: Range): readonly string[] {
  const keys = range.key === null ? [] : endConditions(range.key);
  return [...keys, ...(range.cursor === null ? [] : cursorConditions(range.cursor))];
}

function cursorConditions(cursor: CursorRange): readonly string[] {
  const column = quoteIdentifier(cursor.column);
  const between = endConditions(cursor);
  if (cursor.nulls) return between.length === 0 ? [] : [`(${between.join(' AND ')} OR ${column} IS NULL)`];
  return between.length === 0 ? [`${column} IS NOT NULL`] : between;
}

function endConditions(range: KeyRange | CursorRange): readonly string[] {
  const column = quoteIdentifier(range.column);
  const value = (text: string): string => `${quoteLiteral(text)}::${range.type}`;
  return [
    ...(range.from === undefined ? [] : [`${column} >= ${value(range.from)}`]),
    ...(range.to === undefined ? [] : [`${column} < ${value(range.to)}`]),
  ];
}
