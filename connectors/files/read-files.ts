import { type FileHandle, open } from 'node:fs/promises';
import type { Attempt, Page, ReadPages, ReadRequest } from '../connector.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { FileDialect } from '../../schema/load.ts';
import { type FoundFile, locate, nameFile } from './find-files.ts';
import { type FilesRange, rangeSchema } from './plan-files.ts';
import { afterHeader } from './records.ts';
import { readChunks, toUtf8, unpack } from './text-bytes.ts';

/** Reads the files of a partition as they were planned, as UTF-8. Throws `conflict` when one changed since the plan. */
export async function readFiles(folder: string, { partition, stream }: ReadRequest, attempt: Attempt): Promise<ReadPages> {
  const range = rangeSchema.parse(partition.range);
  const { format } = partition;
  if (format?.kind !== 'foreign') throw new TypeError(`partition ${partition.no} of ${stream.name} has no dialect`);
  return { format, pages: readAll(folder, range, format.dialect, attempt) };
}

async function* readAll(folder: string, { files }: FilesRange, dialect: FileDialect, attempt: Attempt): AsyncGenerator<Page> {
  for (const [index, planned] of files.entries()) {
    let last: Uint8Array | undefined;
    for await (const bytes of readOne(folder, planned, dialect, index > 0, attempt)) {
      if (bytes.byteLength === 0) continue;
      last = bytes;
      yield { bytes, rows: -1 };
    }
    const newline = index < files.length - 1 && last !== undefined ? missingNewline(last, dialect) : undefined;
    if (newline !== undefined) yield { bytes: newline, rows: -1 };
  }
}

async function* readOne(
  folder: string,
  planned: FilesRange['files'][number],
  dialect: FileDialect,
  follows: boolean,
  attempt: Attempt,
): AsyncGenerator<Uint8Array> {
  try {
    await using handle = await openPlanned(folder, planned.file);
    yield* bodyOf(handle, planned, dialect, follows, attempt);
    await refuseChanged(handle, folder, planned.file);
  } catch (error) {
    throw nameFile(error, folder, planned.file.path);
  }
}

function bodyOf(
  handle: FileHandle,
  { gzip, encoding }: FilesRange['files'][number],
  dialect: FileDialect,
  follows: boolean,
  attempt: Attempt,
): AsyncIterable<Uint8Array> {
  const raw = readChunks(handle, attempt);
  if (dialect.type === 'parquet') return raw;
  const text = toUtf8(unpack(raw, gzip), encoding);
  return follows && dialect.type === 'csv' && dialect.header ? afterHeader(text, dialect) : text;
}

function missingNewline(last: Uint8Array, dialect: FileDialect): Uint8Array | undefined {
  const newline = Buffer.from(dialect.type === 'csv' ? dialect.newline : '\n');
  return last.at(-1) === newline.at(-1) ? undefined : newline;
}

async function openPlanned(folder: string, file: FoundFile): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(await locate(folder, file.path), 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw changed(folder, file, 'is gone');
    throw error;
  }
  try {
    await refuseChanged(handle, folder, file);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function refuseChanged(handle: FileHandle, folder: string, file: FoundFile): Promise<void> {
  const now = await handle.stat({ bigint: true });
  if (Number(now.size) === file.size && String(now.mtimeNs) === file.modified && String(now.ino) === file.inode) return;
  throw changed(folder, file, 'changed');
}

function changed(folder: string, file: FoundFile, what: string): MillraceError {
  return new MillraceError(
    'conflict',
    `${file.path} in ${folder} ${what} since the run was planned. Write files under a hidden name and rename them when they are complete; the run is planned again.`,
  );
}
