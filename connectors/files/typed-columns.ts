import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { z } from 'zod';
import type { Attempt } from '../connector.ts';
import type { Column, ColumnType } from '../../schema/column.ts';
import { MillraceError } from '../../schema/errors.ts';

const beatMilliseconds = 1000;
const settings = {
  threads: '2',
  memory_limit: '256MB',
  temp_directory: '',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
};

/** What a file that names its own columns holds. */
export interface TypedFile {
  readonly columns: readonly Column[];
  readonly rows: number;
}

const describedSchema = z.array(z.tuple([z.string(), z.string()]).rest(z.unknown()));

const simpleTypes: Readonly<Record<string, ColumnType>> = {
  BOOLEAN: 'boolean',
  TINYINT: 'smallint',
  UTINYINT: 'smallint',
  SMALLINT: 'smallint',
  USMALLINT: 'integer',
  INTEGER: 'integer',
  UINTEGER: 'bigint',
  BIGINT: 'bigint',
  UBIGINT: 'numeric',
  HUGEINT: 'numeric',
  UHUGEINT: 'numeric',
  FLOAT: 'real',
  DOUBLE: 'double',
  VARCHAR: 'text',
  UUID: 'uuid',
  BLOB: 'bytea',
  DATE: 'date',
  TIME: 'time',
  'TIME WITH TIME ZONE': 'timetz',
  TIMESTAMP: 'timestamp',
  TIMESTAMP_S: 'timestamp',
  TIMESTAMP_MS: 'timestamp',
  TIMESTAMP_NS: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  INTERVAL: 'interval',
  JSON: 'jsonb',
};

/** Columns of a Parquet file in our types; nested ones are `jsonb`. Throws `config` when it isn't Parquet. */
export function describeParquet(path: string, attempt: Attempt): Promise<TypedFile> {
  return withDuckDB(attempt, async (connection) => {
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet(${literal(path)})`);
    const columns = describedSchema.parse(described.getRowsJson()).map(([name, type]) => ({ name, type: parquetType(type) }));
    const counted = await connection.runAndReadAll(`SELECT sum(num_rows)::VARCHAR FROM parquet_file_metadata(${literal(path)})`);
    return { columns, rows: Number(counted.getRows()[0]?.[0] ?? 0) };
  });
}

function parquetType(type: string): ColumnType {
  const simple = simpleTypes[type];
  if (simple !== undefined) return simple;
  if (type.startsWith('DECIMAL(')) return type.toLowerCase().replace('decimal', 'numeric');
  if (type.startsWith('ENUM(')) return 'text';
  const element = type.endsWith('[]') ? parquetType(type.slice(0, -2)) : 'jsonb';
  return element === 'jsonb' || element.endsWith('[]') ? 'jsonb' : `${element}[]`;
}

const structureSchema = z.record(z.string(), z.unknown());

/**
 * The union of the keys of the file's objects with the types of their values: numbers are `numeric`, nested values `jsonb`, mixed ones `text`
 * or, where some are nested, `jsonb`. With `sampleRows` only the first ones are looked at. Throws `config` when the file isn't JSON.
 */
export function describeJson(path: string, type: 'ndjson' | 'json', sampleRows: number | undefined, attempt: Attempt): Promise<TypedFile> {
  return withDuckDB(attempt, async (connection) => {
    const format = type === 'ndjson' ? `format = 'newline_delimited', ignore_errors = true` : `format = 'auto'`;
    const limit = sampleRows === undefined ? '' : ` LIMIT ${sampleRows}`;
    const values = `SELECT json FROM read_json_objects(${literal(path)}, ${format})${limit}`;
    const objects = `(SELECT json FROM (${values}) WHERE json_type(json) = 'OBJECT')`;
    const found = await connection.runAndReadAll(`SELECT json_group_structure(json)::VARCHAR, count(*)::VARCHAR FROM ${objects}`);
    const [structure, rows] = found.getRowsJson()[0] ?? [];
    if (typeof structure !== 'string') return { columns: [], rows: 0 };
    const kinds = Object.entries(structureSchema.parse(JSON.parse(structure)));
    const mixed = kinds.filter(([, kind]) => kind === 'JSON').map(([key]) => key);
    const nested = await nestedKeys(connection, objects, mixed);
    const columns = kinds.map(([name, kind]) => ({ name, type: kind === 'JSON' ? (nested.has(name) ? 'jsonb' : 'text') : jsonType(kind) }));
    return { columns, rows: Number(rows) };
  });
}

function jsonType(kind: unknown): ColumnType {
  if (typeof kind !== 'string') return 'jsonb';
  if (kind === 'BOOLEAN') return 'boolean';
  return ['UBIGINT', 'BIGINT', 'HUGEINT', 'DOUBLE'].includes(kind) ? 'numeric' : 'text';
}

/** Those of the keys that have an object or an array as value somewhere. */
async function nestedKeys(connection: DuckDBConnection, objects: string, keys: readonly string[]): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set();
  const tests = keys.map((key) => `coalesce(bool_or(json_type(json, ${text(pointer(key))}) IN ('OBJECT', 'ARRAY')), false)`);
  const [found = []] = (await connection.runAndReadAll(`SELECT ${tests.join(', ')} FROM ${objects}`)).getRowsJson();
  return new Set(keys.filter((_, index) => found[index] === true));
}

function pointer(key: string): string {
  return `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

async function withDuckDB<T>(attempt: Attempt, ask: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const { signal } = attempt;
  signal.throwIfAborted();
  const instance = await DuckDBInstance.create(':memory:', settings);
  const connection = await instance.connect();
  const interrupt = () => connection.interrupt();
  const pulse = setInterval(() => connection.progress.percentage >= 0 && attempt.beat(), beatMilliseconds);
  signal.addEventListener('abort', interrupt);
  try {
    await connection.run('SET enable_progress_bar = true; SET enable_progress_bar_print = false');
    return await ask(connection);
  } catch (cause) {
    signal.throwIfAborted();
    throw new MillraceError('config', `can not be read: ${place(cause)}`, { cause });
  } finally {
    clearInterval(pulse);
    signal.removeEventListener('abort', interrupt);
    connection.closeSync();
    instance.closeSync();
  }
}

/** DuckDB's message as far as it holds no value of a row. */
function place(cause: unknown): string {
  const message = String(cause);
  if (message.includes('maximum_object_size')) return 'an object in it is larger than 16 MiB';
  const malformed = /Malformed JSON in file "[^"]*", (at byte \d+ in [a-z/]+ \d+)/.exec(message);
  return malformed === null ? 'it is damaged or of another format; set read.format of the stream' : `malformed JSON ${malformed[1]}`;
}

/** A path as DuckDB's string, its wildcards taken literally. */
function literal(path: string): string {
  return text(path.replaceAll(/[*?[]/g, '[$&]'));
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
