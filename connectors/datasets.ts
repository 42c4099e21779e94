import type { DatasetRead, DatasetRequest, DatasetRow, DatasetShape, DatasetSource } from '../schema/dataset.ts';

export interface DatasetsOptions {
  /** `SET ROLE` after connecting; refused when it may bypass row-level security. */
  readonly role?: string;
  /** Sessions kept open. */
  readonly connections: number;
  /** Key of `hash` masks. */
  readonly maskKey?: string;
  /** Milliseconds that one statement may take. */
  readonly timeout: number;
  /** The same for exports. */
  readonly exportTimeout: number;
}

/** How far columns tell rows apart. */
export interface KeyCount {
  readonly rows: number;
  /** Rows without a value in one of the columns. */
  readonly empty: number;
  /** Rows whose values another row has too. */
  readonly repeated: number;
}

/**
 * The role of a warehouse that answers requests for rows as they come: pooled sessions that can't write, one statement for a request.
 * Used by many callers at once, for as long as the gateway runs.
 */
export interface Datasets extends AsyncDisposable {
  /** Opens a session and says whether the role is fit. Throws `config`, `auth`, `unavailable`. */
  check(): Promise<readonly string[]>;
  /** Columns of a dataset as they are now. Throws `not-found` naming it. */
  describe(source: DatasetSource): Promise<DatasetShape>;
  /** Counts by reading all rows, for checks; what it throws is what `read` throws. */
  countKey(source: DatasetSource, key: readonly string[]): Promise<KeyCount>;
  /**
   * The JSON of a request, by one statement. Throws `rejected` for a value that isn't of its column's type (naming the column) or a
   * statement that took too long, `schema` when the dataset isn't any more what it was (to be described again), `unavailable`.
   */
  read(request: DatasetRequest | DatasetRow): Promise<string>;
  /** Rows of a read, all of them with the limit `everyRow`, as bytes: NDJSON, or CSV with a header. Reads ahead no more than it is asked for. */
  export(read: DatasetRead, format: 'ndjson' | 'csv', signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Requests that wait for a session, for back-pressure. */
  readonly waiting: number;
}
