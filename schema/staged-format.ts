import type { Column } from './column.ts';

/** How the bytes of a staged file are to be read. */
export type StagedFormat =
  /** PostgreSQL's binary COPY, with header and trailer; columns in the load's order. */
  | { readonly kind: 'pgcopy' }
  /**
   * The one CSV of Millrace: UTF-8, comma, LF, no header, every value quoted (`""` is the empty string, a quote is doubled),
   * NULL is nothing at all; columns in the load's order, values in PostgreSQL's text form (UTC, ISO dates, bytea hex).
   */
  | { readonly kind: 'csv' }
  /** A file from outside, byte for byte; `dialect` is what the files connector found at plan. */
  | { readonly kind: 'foreign'; readonly dialect: FileDialect };

/** The dialect of a file from outside, sniffed once at plan or given by the user, and kept. */
export type FileDialect =
  | {
      readonly type: 'csv';
      readonly delimiter: string;
      /** Empty: values are never quoted. */
      readonly quote: string;
      readonly escape: string;
      readonly header: boolean;
      readonly encoding: 'utf-8' | 'utf-16' | 'latin-1';
      readonly newline: '\n' | '\r\n' | '\r';
      /** Bytes of the longest line, with a margin, where it is known. */
      readonly maxLineBytes?: number;
      /** Names as they stand in the header, or `column1`… without one. */
      readonly columns: readonly string[];
    }
  | { readonly type: 'ndjson' | 'json'; readonly columns: readonly Column[] }
  | { readonly type: 'parquet'; readonly columns: readonly Column[] };
