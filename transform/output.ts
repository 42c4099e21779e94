import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Engine } from './engine.ts';
import { literal } from './sql-text.ts';

/** A file in the one CSV. */
export interface OutputFile {
  readonly path: string;
  readonly rows: number;
}

export interface OutputOptions {
  /** Of the file, or of a folder for files. */
  readonly path: string;
  readonly ordered: boolean;
  /** The greatest number of files; 1 where `ordered`. */
  readonly files: number;
}

const csv = `FORMAT csv, HEADER false, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR '', FORCE_QUOTE *`;
const chunkBytes = 1 << 20;
const quote = 34;
const lineFeed = 10;

/** Rows of a file in the one CSV. */
async function countRows(path: string): Promise<number> {
  let rows = 0;
  let quoted = false;
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) {
    const bytes: Uint8Array = chunk;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === quote) quoted = !quoted;
      else if (byte === lineFeed && !quoted) rows++;
    }
  }
  return rows;
}

/** The largest files of a folder, at most so many; the others are appended to the last of them. */
async function gather(folder: string, most: number): Promise<readonly string[]> {
  const paths = (await readdir(folder)).map((name) => join(folder, name));
  const sized = await Promise.all(paths.map(async (path) => ({ path, bytes: (await stat(path)).size })));
  const largest = sized.filter(({ bytes }) => bytes > 0).toSorted((a, b) => b.bytes - a.bytes);
  const last = largest[Math.min(most, largest.length) - 1];
  for (const { path } of largest.slice(most)) {
    if (last !== undefined) await pipeline(createReadStream(path), createWriteStream(last.path, { flags: 'a' }));
  }
  return largest.slice(0, most).map(({ path }) => path);
}

/** Writes the rows of a query in the one CSV: as one file, or as several, so that they can be loaded at the same time. */
export async function writeOutput(engine: Engine, query: string, { path, ordered, files }: OutputOptions): Promise<readonly OutputFile[]> {
  if (files === 1) {
    const rows = await engine.run(`COPY (${query}) TO ${literal(path)} (${csv}, USE_TMP_FILE false, PRESERVE_ORDER ${ordered})`);
    return [{ path, rows }];
  }
  const total = await engine.run(`COPY (${query}) TO ${literal(path)} (${csv}, PER_THREAD_OUTPUT true)`);
  const [first, ...others] = await gather(path, files);
  if (first === undefined) throw new Error('a transform wrote no file');
  const counted = await Promise.all(others.map(async (other) => ({ path: other, rows: await countRows(other) })));
  return [{ path: first, rows: counted.reduce((left, { rows }) => left - rows, total) }, ...counted];
}
