/**
 * The words of a request for rows of datasets: what REST and GraphQL are both turned into, and what a warehouse answers in one statement.
 * All names in it are columns that exist and that the caller may use; all values are parameters.
 */

/** A table or view, or a query of the project's own. */
export type DatasetSource =
  | { readonly kind: 'table'; readonly schema: string; readonly table: string }
  | { readonly kind: 'query'; readonly sql: string };

/** How a column's values look in JSON: 64-bit integers and decimals are text, so that they are exact everywhere. */
export type JsonType =
  | 'string'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'bigint'
  | 'decimal'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'uuid'
  | 'json'
  | 'bytes';

export interface DatasetColumn {
  readonly name: string;
  /** The warehouse's own type, in its canonical short spelling (`schema/column.ts`). */
  readonly type: string;
  readonly json: JsonType;
  /** The values are arrays of `json`. */
  readonly array: boolean;
  readonly nullable: boolean;
  /** SQL's name of a type that `type` has no word for (enums, composite types, those of extensions), or of the array's elements. */
  readonly native?: string;
  readonly comment?: string;
}

/** What a dataset is made of, as the warehouse has it now. */
export interface DatasetShape {
  readonly columns: readonly DatasetColumn[];
  /** Tables that it reads, as `schema.table`, itself among them where it is one; empty where that can't be known. */
  readonly reads: readonly string[];
  /** The warehouse's estimate of rows. */
  readonly rows: number;
  /** Sets of columns that no two rows have equal and that are never NULL, by a primary key or unique index. */
  readonly unique?: readonly (readonly string[])[];
}

/** Whether the warehouse itself makes sure that a key tells all rows apart. */
export const isProvenKey = ({ unique = [], columns }: DatasetShape, key: readonly string[]): boolean =>
  unique.some((set) => set.every((name) => key.includes(name))) &&
  key.every((name) => columns.some((column) => column.name === name && !column.nullable));

/** A condition of the project file on each row: SQL around parameters. `parts` has one more than `values`. */
export interface RowRule {
  readonly parts: readonly string[];
  readonly values: readonly unknown[];
}

/**
 * `contains` is text within text, whatever its case; `starts` begins with, exactly. `in` and `not_in` take a list, `null` true or false,
 * all others one value as text.
 */
export const comparisons = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'not_in', 'contains', 'starts', 'null'] as const;
export type Comparison = (typeof comparisons)[number];

/**
 * Conditions that are true or false for every row: NULL is equal to nothing and neither more nor less than anything, so that `ne` and
 * `not_in` are true for it, and all others but `null` false. `not` is true for exactly the rows that its filter leaves out.
 */
export type Filter =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly kind: 'not'; readonly filter: Filter }
  | { readonly kind: 'compare'; readonly column: string; readonly op: Comparison; readonly value: string | boolean | readonly string[] };

export interface SortKey {
  readonly column: string;
  readonly descending: boolean;
}

export type Mask = 'hash' | 'redact' | 'null';

/** A member of the JSON object of a row. */
export type OutputField =
  | { readonly kind: 'column'; readonly as: string; readonly column: string; readonly mask?: Mask }
  /** A text that is the same for each row: GraphQL's `__typename`. */
  | { readonly kind: 'constant'; readonly as: string; readonly value: string }
  /** Rows of another dataset whose columns are equal to this row's: `on` is own column to the other's. */
  | { readonly kind: 'relation'; readonly as: string; readonly on: readonly (readonly [string, string])[]; readonly read: DatasetRead };

/** What JSON a read gives. */
export type ReadShape =
  /** The row as an object, or null. */
  | { readonly kind: 'one' }
  /** An array of rows. */
  | { readonly kind: 'rows' }
  /** An array with the row of each key in the order given, null where there is none. Values of a key are in the order of `columns`, which are the row's key. */
  | { readonly kind: 'keyed'; readonly columns: readonly string[]; readonly keys: readonly (readonly string[])[] }
  /** An object of these members. */
  | { readonly kind: 'object'; readonly members: readonly PageMember[] };

/** Members of a page: each under a name of the caller's. A cursor is the opaque text of `cursorPrefix` and a row's sort values. */
export type PageMember =
  | { readonly kind: 'constant'; readonly as: string; readonly value: string }
  /** Rows with fields of their own, or with those of the read. */
  | { readonly kind: 'rows'; readonly as: string; readonly fields?: readonly OutputField[] }
  /** Relay: objects of `cursor`, `node`, constants. */
  | { readonly kind: 'edges'; readonly as: string; readonly members: readonly EdgeMember[] }
  /** Cursor of the last row of the page, but null when nothing comes after it: REST's `next`. */
  | { readonly kind: 'next'; readonly as: string }
  /** Rows that match in all. Not exact is exact up to 10,000, and the planner's number beyond; always exact in a relation. */
  | { readonly kind: 'count'; readonly as: string; readonly exact: boolean }
  | { readonly kind: 'pageInfo'; readonly as: string; readonly members: readonly PageInfoMember[] };

export type EdgeMember =
  | { readonly kind: 'constant'; readonly as: string; readonly value: string }
  | { readonly kind: 'cursor'; readonly as: string }
  /** The row with fields of its own: `fields` of the read are for `rows`. */
  | { readonly kind: 'node'; readonly as: string; readonly fields: readonly OutputField[] };

export type PageInfoMember =
  | { readonly kind: 'constant'; readonly as: string; readonly value: string }
  | { readonly kind: 'hasNextPage' | 'hasPreviousPage' | 'startCursor' | 'endCursor'; readonly as: string };

/** The limit of an export of all rows. */
export const everyRow = Number.MAX_SAFE_INTEGER;

export interface DatasetRead {
  readonly kind: 'read';
  readonly source: DatasetSource;
  /** Conditions that hold before all others. */
  readonly rules: readonly RowRule[];
  /** Columns by name that the read uses anywhere, with their types. */
  readonly columns: Readonly<Record<string, DatasetColumn>>;
  readonly fields: readonly OutputField[];
  readonly filter?: Filter;
  /** Total: it ends with the key. Cursors go by it. */
  readonly sort: readonly SortKey[];
  readonly limit: number;
  /** Sort values of a row, as `readCursor` gives them; rows after it are read, or before it for `backward`. */
  readonly from?: readonly (string | null)[];
  /** The last rows before `from`, or the last of all; they stay in the order of `sort`. */
  readonly backward?: boolean;
  /** Begins each cursor of this read: what it belongs to. */
  readonly cursorPrefix: string;
  readonly shape: ReadShape;
}

export const measureFunctions = ['count', 'sum', 'avg', 'min', 'max'] as const;
export type MeasureFunction = (typeof measureFunctions)[number];

/** A member of a group's object. */
export type AggregateMember =
  | { readonly kind: 'constant'; readonly as: string; readonly value: string }
  | { readonly kind: 'group'; readonly as: string; readonly column: string }
  /** `count` without a column counts rows. Sums and averages are decimals, but of floating-point columns. */
  | { readonly kind: 'measure'; readonly as: string; readonly function: MeasureFunction; readonly column?: string }
  | { readonly kind: 'object'; readonly as: string; readonly members: readonly AggregateMember[] };

/** Groups of rows, in the order of the group's columns. */
export interface DatasetAggregate {
  readonly kind: 'aggregate';
  readonly source: DatasetSource;
  readonly rules: readonly RowRule[];
  readonly columns: Readonly<Record<string, DatasetColumn>>;
  readonly filter?: Filter;
  readonly groupBy: readonly string[];
  readonly members: readonly AggregateMember[];
  /** The most groups; more is refused by the caller, who asks for one more than he gives. */
  readonly limit: number;
}

/** Several reads in one statement: the JSON object of their answers (GraphQL's root), or one answer as it is. */
export type DatasetRequest = DatasetRead | DatasetAggregate | { readonly kind: 'object'; readonly members: readonly RootMember[] };

/** The one row of a read whose columns of `sort`, its key, are equal to these. Requests for many keys have the same object as `read`. */
export interface DatasetRow {
  readonly kind: 'row';
  /** Of the shape `one`, without a filter. */
  readonly read: DatasetRead;
  readonly key: readonly string[];
}

export type RootMember =
  | { readonly kind: 'constant'; readonly as: string; readonly value: string }
  | { readonly kind: 'member'; readonly as: string; readonly request: DatasetRequest };

/**
 * The opaque cursor: base64url of the JSON array of `prefix` and the sort values as text. Undefined when it isn't one, or belongs to
 * another prefix.
 */
export function readCursor(cursor: string, prefix: string, values: number): readonly (string | null)[] | undefined {
  if (!/^[\w-]+$/.test(cursor)) return undefined;
  try {
    const bytes = Uint8Array.from(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (!Array.isArray(parsed) || parsed.length !== values + 1 || parsed[0] !== prefix) return undefined;
    const rest: unknown[] = parsed.slice(1);
    return rest.every((value) => value === null || typeof value === 'string') ? rest : undefined;
  } catch {
    return undefined;
  }
}
