import type { Column } from './column.ts';
import type { StagedFormat } from './staged-format.ts';

/** Where the next read of a stream begins: the source's text for one value of the cursor column, or a source's own text. */
export type Cursor = string;

/** Schema and table that a stream is delivered to, unquoted. */
export interface Target {
  readonly schema: string;
  readonly table: string;
}

/** A table, sheet, object type or endpoint as its source describes it. */
export interface Stream {
  /** `schema.table` for databases; for files the path or glob below the connection's folder. */
  readonly name: string;
  readonly columns: readonly Column[];
  /** Columns of the primary key, in its order; empty when there is none. */
  readonly key: readonly string[];
  /** From statistics; undefined when unknown. */
  readonly estimatedRows?: number;
  /** Sentences on what is not carried over as it is: enums as text, composite types as text, … */
  readonly notes: readonly string[];
}

/** A share of a stream that one extract reads alone, and can read again. JSON; only its source reads `range`. */
export interface Partition {
  readonly no: number;
  /** For people: `id 1…125000`, `movies-1.csv`. Holds no values of rows but key bounds. */
  readonly label: string;
  readonly range: unknown;
  /** Of a file from outside: its dialect, fixed by the plan. Absent: the plan's format. */
  readonly format?: StagedFormat;
}
