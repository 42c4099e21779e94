import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { MillraceError } from '../schema/errors.ts';
import { literal } from './sql-text.ts';

/** What an engine may use and touch. */
export interface EngineOptions {
  readonly memoryLimit: string;
  readonly threads: number;
  /** For spilled data; made if missing, emptied of what the engine wrote at the end. */
  readonly tempFolder: string;
  /** The only files that statements can read or write. */
  readonly paths: readonly string[];
  /** And all files in these folders. */
  readonly folders: readonly string[];
  readonly signal: AbortSignal;
  beat(progress?: unknown): void;
}

const beatMilliseconds = 1000;

/** What a failure of DuckDB means for the step. */
function translate(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const message = error instanceof Error ? error.message : String(error);
  if (/No space left|could not write|Failed to offload|max_temp_directory_size/i.test(message)) {
    return new MillraceError(
      'unavailable',
      'the transform ran out of disk space for temporary files: free some, or move the staging folder',
      {
        cause: error,
      },
    );
  }
  if (message.startsWith('Out of Memory Error')) {
    return new MillraceError('config', 'the transform needs more memory than its limit: raise the transform memory of the worker', {
      cause: error,
    });
  }
  if (/^(Conversion|Out of Range|Invalid Input) Error/.test(message)) return failedForValue(message);
  if (message.startsWith('Permission Error'))
    return new MillraceError('config', `SQL of steps reads no files and no settings: ${message.split('\n')[0]}`);
  if (/^(Binder|Parser|Catalog|Not implemented) Error/.test(message)) return error;
  return new Error(message.split('\n')[0]);
}

/** DuckDB's own message would hold the value. */
function failedForValue(message: string): MillraceError {
  const [kind] = message.split(':');
  return new MillraceError(
    'rejected',
    `a SQL expression of a step fails for a value (${kind}): make it pass every value, with TRY_CAST for instance`,
  );
}

/** DuckDB for one transform: in memory, spilling to a folder of its own, without access to anything but the files named. */
export class Engine implements AsyncDisposable {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #options: EngineOptions;
  readonly #folder: string;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, options: EngineOptions, folder: string) {
    this.#instance = instance;
    this.#connection = connection;
    this.#options = options;
    this.#folder = folder;
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const folder = join(options.tempFolder, 'duckdb');
    await mkdir(folder, { recursive: true });
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: options.memoryLimit,
      threads: String(options.threads),
      temp_directory: folder,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
    });
    const engine = new Engine(instance, await instance.connect(), options, folder);
    for (const statement of [
      `SET TimeZone = 'UTC'`,
      `SET enable_progress_bar = true`,
      `SET enable_progress_bar_print = false`,
      `SET allowed_paths = [${options.paths.map(literal).join(', ')}]`,
      `SET allowed_directories = [${options.folders.map((path) => literal(`${path}/`)).join(', ')}]`,
      `SET enable_external_access = false`,
      `SET lock_configuration = true`,
    ]) {
      await engine.run(statement);
    }
    return engine;
  }

  get aborted(): boolean {
    return this.#options.signal.aborted;
  }

  /** Runs a statement and gives the count that COPY and CREATE TABLE AS report, 0 for others. */
  async run(sql: string): Promise<number> {
    const [row] = await this.rows(sql);
    return Number(row?.['Count'] ?? 0);
  }

  /** Runs a query of few rows; values as JSON gives them, 64-bit numbers as text. */
  async rows(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    const connection = this.#connection;
    const interrupt = (): void => connection.interrupt();
    signal.addEventListener('abort', interrupt);
    // Again and again: an interrupt that comes before the statement has begun is lost.
    const pulse = setInterval(() => (signal.aborted ? interrupt() : this.#beat()), beatMilliseconds);
    try {
      const result = await connection.runAndReadAll(sql);
      return result.getRowObjectsJson();
    } catch (error) {
      throw translate(error, signal);
    } finally {
      clearInterval(pulse);
      signal.removeEventListener('abort', interrupt);
    }
  }

  /** A statement whose progress can be read is alive; -1 says that none is running. */
  #beat(): void {
    if (this.#connection.progress.percentage >= 0) this.#options.beat();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.closeSync();
    this.#instance.closeSync();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
