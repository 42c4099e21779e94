import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../../schema/errors.ts';
import { refuseSameNames } from './columns.ts';
import { inspectCsv, type Inspected, sampleBytes } from './csv.ts';
import { findEncoding } from './encoding.ts';
import { type FoundFile, locate, nameFile } from './find-files.ts';
import type { FilesReadOptions } from './settings.ts';
import type { Attempt } from '../connector.ts';
import { hasUtf8Mark, type Packing, readChunks, toUtf8, unpack } from './text-bytes.ts';
import { describeJson, describeParquet } from './typed-columns.ts';

const sampleRows = 10_000;

/** What a file turned out to be. */
export interface InspectedFile extends Packing, Inspected {
  readonly file: FoundFile;
}

/** Looks into a file: CSV at its beginning, JSON all of it unless a `sample` is enough. Errors name the file. */
export async function inspectFile(
  folder: string,
  file: FoundFile,
  options: FilesReadOptions,
  sample: boolean,
  attempt: Attempt,
): Promise<InspectedFile> {
  try {
    const path = await locate(folder, file.path);
    if (formatOf(file.path, options) === 'parquet') return { ...(await inspectParquet(path, file, attempt)), file };
    await using handle = await open(path, 'r');
    const text = await openText(handle, file, options, attempt);
    const inspected = text.json === undefined ? inspectCsv(text.sample, file, options) : await inspectJson(text, path, sample, attempt);
    const notes = [...text.notes, ...inspected.notes].map((note) => `${file.path}: ${note}`);
    return { ...inspected, file, gzip: text.gzip, encoding: text.encoding, notes };
  } catch (error) {
    throw nameFile(error, folder, file.path);
  }
}

interface OpenText extends Packing {
  readonly handle: FileHandle;
  /** The first bytes as UTF-8, whole when the file is smaller. */
  readonly sample: Buffer;
  readonly marked: boolean;
  readonly json: 'ndjson' | 'json' | undefined;
  readonly notes: readonly string[];
}

function formatOf(path: string, options: FilesReadOptions): NonNullable<FilesReadOptions['format']> {
  if (options.format !== undefined) return options.format;
  const extension = /\.([a-z]+)$/.exec(path.toLowerCase().replace(/\.gz$/, ''))?.[1] ?? '';
  if (['csv', 'tsv', 'txt', 'tab'].includes(extension)) return 'csv';
  if (['ndjson', 'jsonl'].includes(extension)) return 'ndjson';
  if (extension === 'json' || extension === 'parquet') return extension;
  throw new MillraceError('config', 'its name does not tell its format. Set read.format of the stream to csv, ndjson, json or parquet.');
}

async function inspectParquet(path: string, file: FoundFile, attempt: Attempt): Promise<Packing & Inspected> {
  const packing: Packing = { gzip: false, encoding: 'utf-8' };
  if (file.size === 0) return { ...packing, dialect: { type: 'parquet', columns: [] }, columns: [], rows: 0, notes: [] };
  const { columns, rows } = await describeParquet(path, attempt);
  refuseSameNames(columns);
  return { ...packing, dialect: { type: 'parquet', columns }, columns, rows, notes: [] };
}

async function openText(handle: FileHandle, file: FoundFile, options: FilesReadOptions, attempt: Attempt): Promise<OpenText> {
  const gzip = file.path.toLowerCase().endsWith('.gz');
  const raw = await firstBytes(unpack(readChunks(handle, attempt), gzip), sampleBytes);
  const { encoding, note } = findEncoding(raw, options.encoding);
  const sample = await firstBytes(toUtf8(unpack(readChunks(handle, attempt), gzip), encoding), sampleBytes);
  const format = formatOf(file.path, options);
  const json = format === 'csv' ? undefined : format === 'json' ? jsonLayout(sample) : 'ndjson';
  return { handle, gzip, encoding, sample, marked: hasUtf8Mark(raw), json, notes: note === undefined ? [] : [note] };
}

/** A `.json` file may be one array, or objects each in a line. */
function jsonLayout(sample: Buffer): 'ndjson' | 'json' {
  const text = sample.toString('utf8').trimStart();
  if (!text.startsWith('{')) return 'json';
  try {
    JSON.parse(text.split('\n', 1)[0] ?? '');
    return 'ndjson';
  } catch {
    return 'json';
  }
}

async function inspectJson(text: OpenText, path: string, sample: boolean, attempt: Attempt): Promise<Inspected> {
  const type = text.json ?? 'json';
  const rows = sample ? sampleRows : undefined;
  const plain = !text.gzip && text.encoding === 'utf-8' && !text.marked;
  const found = plain
    ? await describeJson(path, type, rows, attempt)
    : await withPlainCopy(text, attempt, (copy) => describeJson(copy, type, rows, attempt));
  if (found.columns.length === 0 && text.sample.length > 0 && !/^\s*(\[\s*\]\s*)?$/.test(text.sample.toString('utf8'))) {
    throw new MillraceError('config', 'holds no JSON objects. Each row must be an object with column names as keys.');
  }
  refuseSameNames(found.columns);
  return { dialect: { type, columns: found.columns }, columns: found.columns, rows: found.rows, notes: [] };
}

/** DuckDB reads neither byte order marks nor UTF-16. */
async function withPlainCopy<T>(text: OpenText, attempt: Attempt, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-'));
  try {
    const copy = join(folder, 'plain.json');
    await writeFile(copy, utf8Of(text, attempt));
    return await use(copy);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function utf8Of({ handle, gzip, encoding }: OpenText, attempt: Attempt): AsyncIterable<Uint8Array> {
  return toUtf8(unpack(readChunks(handle, attempt), gzip), encoding);
}

async function firstBytes(chunks: AsyncIterable<Uint8Array>, count: number): Promise<Buffer> {
  const taken: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    taken.push(chunk);
    bytes += chunk.byteLength;
    if (bytes >= count) break;
  }
  return Buffer.concat(taken);
}
