import type { StagedFile, StagedFormat } from '../schema/load.ts';

/** A file on this host, there until it is disposed of. */
export interface LocalFile extends AsyncDisposable {
  readonly path: string;
}

/**
 * Temporary storage for files between steps. A file is complete or absent: it appears under its name only after all of its
 * bytes are durable. Names are relative, with `/`; writing a name again replaces the file.
 */
export interface Staging {
  /** Identity of the store, kept in its root and part of every reference. */
  readonly id: string;
  /** Files are encrypted at rest. */
  readonly encrypts: boolean;
  /** Streams bytes to a new file. Aborted or failed: nothing is left under the name. Throws `unavailable` when the disk is full. */
  write(name: string, format: StagedFormat, bytes: AsyncIterable<Uint8Array>, rows: () => number, signal: AbortSignal): Promise<StagedFile>;
  /** A local path on which a tool writes a file that `adopt` then takes; unique to the call. */
  scratch(): Promise<string>;
  /** Makes the file at a scratch path a staged file: fsync, sha256, rename. `beat` is called as its bytes are summed. */
  adopt(path: string, name: string, format: StagedFormat, rows: number, beat: () => void): Promise<StagedFile>;
  /** Reads a file; the checksum is verified before its last bytes are handed on, and a mismatch or a missing file throws `staging-lost`, another store's `config`. */
  read(file: StagedFile): AsyncIterable<Uint8Array>;
  /**
   * A local path with the file's bytes, for DuckDB: of an encrypted file a copy. Throws `staging-lost` when the file is missing, `config`
   * when it is another store's or its key isn't here.
   */
  local(file: StagedFile): Promise<LocalFile>;
  /** Names of the folders directly below one, oldest first: loads of a stream. */
  list(folder: string): Promise<readonly string[]>;
  /** Removes a file, or a folder with all below it; absent is fine. */
  remove(name: string): Promise<void>;
  /** Removes unfinished files of writers that ended, when nobody has written to them for `age` milliseconds; returns how many. */
  sweep(age: number): Promise<number>;
}
