/**
 * A column's logical type, in PostgreSQL's canonical short spelling:
 * `boolean smallint integer bigint numeric numeric(p,s) real double text varchar(n) char(n) date time time(p) timetz
 * timestamp timestamp(p) timestamptz timestamptz(p) interval uuid json jsonb bytea inet cidr macaddr bit(n) varbit(n) xml`,
 * each with `[]` for arrays of any dimension. Values travel as text in PostgreSQL's input syntax or as binary COPY.
 */
export type ColumnType = string;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

export interface ParsedType {
  readonly base: string;
  /** Modifiers in parentheses: precision and scale, or a length. */
  readonly modifiers: readonly number[];
  readonly array: boolean;
}

/** Splits `numeric(14,2)[]` into its parts; undefined when it isn't of the form. */
export function parseType(type: ColumnType): ParsedType | undefined {
  const match = /^([a-z][a-z0-9_ ]*?)(?:\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\))?(\[\])?$/.exec(type.trim().toLowerCase());
  if (match === null) return undefined;
  const modifiers = [match[2], match[3]].filter((part) => part !== undefined).map(Number);
  return { base: match[1] ?? '', modifiers, array: match[4] !== undefined };
}
