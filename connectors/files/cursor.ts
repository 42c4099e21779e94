import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Column } from '../../schema/column.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Cursor } from '../../schema/stream.ts';
import type { FoundFile } from './find-files.ts';

/** Longer lists of files are packed: 12 bytes for each in place of its path. */
const readableLength = 32 * 1024;
const packedFiles = 60_000;
const hashBytes = 6;

const cursorSchema = z.strictObject({
  format: z.literal(1),
  /** All columns seen so far: one that the next files lack is NULL there, and the steps that name it still hold. */
  columns: z.array(z.strictObject({ name: z.string(), type: z.string() })),
  /** Path to `<size>@<time of change>`. */
  files: z.record(z.string(), z.string()).optional(),
  /** The same as hashes of path and version, base64. */
  packed: z.base64().optional(),
});

/** Which files were read, and what they looked like then. */
export interface FilesCursor {
  readonly columns: readonly Column[];
  /** What a file is since it was read. */
  compare(file: FoundFile): 'new' | 'changed' | 'same';
  /** The cursor after these files were read too, with all columns so far. Throws `config` beyond 60,000 files. */
  after(read: readonly FoundFile[], columns: readonly Column[]): Cursor;
}

/** Reads a stored cursor; undefined is one of no files. Throws `config` for another connector's. */
export function parseCursor(cursor: Cursor | undefined): FilesCursor {
  if (cursor === undefined) return filesCursor([], new Map(), new Map());
  const parsed = cursorSchema.safeParse(parseJson(cursor));
  if (!parsed.success)
    throw new MillraceError('config', 'The stored cursor is not one of a files connection. Run the stream once with --full-refresh.');
  const { columns, files = {}, packed = '' } = parsed.data;
  return filesCursor(columns, new Map(Object.entries(files)), unpackFiles(packed));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function versionOf(file: FoundFile): string {
  return `${file.size}@${file.modified}`;
}

function filesCursor(columns: readonly Column[], files: ReadonlyMap<string, string>, packed: ReadonlyMap<string, string>): FilesCursor {
  return {
    columns,
    compare: (file) => {
      const version = versionOf(file);
      const known = files.get(file.path) ?? packed.get(hash(file.path));
      if (known === undefined) return 'new';
      return known === version || known === hash(version) ? 'same' : 'changed';
    },
    after: (read, allColumns) => {
      const all = new Map([...files, ...read.map((file) => [file.path, versionOf(file)] as const)]);
      const readable = JSON.stringify({ format: 1, columns: allColumns, files: Object.fromEntries(all) });
      if (packed.size === 0 && readable.length <= readableLength) return readable;
      return JSON.stringify({ format: 1, columns: allColumns, packed: packFiles(new Map([...packed, ...hashAll(all)])) });
    },
  };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest().subarray(0, hashBytes).toString('hex');
}

function hashAll(files: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...files].map(([path, version]) => [hash(path), hash(version)]);
}

function packFiles(files: ReadonlyMap<string, string>): string {
  if (files.size > packedFiles) {
    throw new MillraceError(
      'config',
      `The stream has read ${files.size} files, more than the ${packedFiles} that a cursor remembers. Split its pattern by folder or year into several streams with the same pipeline.`,
    );
  }
  return Buffer.from([...files].flat().join(''), 'hex').toString('base64');
}

function unpackFiles(packed: string): ReadonlyMap<string, string> {
  const bytes = Buffer.from(packed, 'base64');
  const files = new Map<string, string>();
  for (let at = 0; at + 2 * hashBytes <= bytes.byteLength; at += 2 * hashBytes) {
    files.set(bytes.toString('hex', at, at + hashBytes), bytes.toString('hex', at + hashBytes, at + 2 * hashBytes));
  }
  return files;
}
