import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The folder of an ingest connection: sealed segments with dense numbers (`000000000001.ndjson`), each complete and durable; segments
 * that a gateway still writes in `open`; how far each pipeline has committed in `read`. The newest segment always stays, so that
 * numbers go on.
 */
const suffix = '.ndjson';
const sealedName = /^(\d{12})\.ndjson$/;
const openFolder = 'open';
const readFolder = 'read';
const readersFile = 'readers.json';
const idFile = 'id';

export const sealedPath = (folder: string, no: number): string => join(folder, `${String(no).padStart(12, '0')}${suffix}`);
export const openSegments = (folder: string): string => join(folder, openFolder);

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

async function unlessMissing<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return otherwise;
    throw error;
  }
}

/** Makes the folder with what it needs, once. */
export async function makeIngestFolder(folder: string): Promise<void> {
  for (const path of [openSegments(folder), join(folder, readFolder)]) await mkdir(path, { recursive: true, mode: 0o700 });
  await syncFolder(folder);
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Identity of the folder, made once: numbers of another one mean nothing here. */
export async function folderId(folder: string): Promise<string> {
  const path = join(folder, idFile);
  const found = await unlessMissing(readFile(path, 'utf8'), '');
  if (found !== '') return found;
  const made = randomUUID();
  const temporary = `${path}.${made}`;
  await writeFile(temporary, made, { mode: 0o600, flush: true });
  try {
    await link(temporary, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return await readFile(path, 'utf8');
}

/** Numbers of the sealed segments, in order. */
export async function sealedNumbers(folder: string): Promise<readonly number[]> {
  const names = await unlessMissing(readdir(folder), []);
  return names
    .flatMap((name) => sealedName.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** Those after a number without a gap: a listing that was made while segments were sealed may miss one. */
export function segmentsAfter(sealed: readonly number[], after: number): readonly number[] {
  const later = sealed.filter((no) => no > after);
  const gap = later.findIndex((no, index) => no !== (later[0] ?? 0) + index);
  return gap < 0 ? later : later.slice(0, gap);
}

/** Gives a segment the next number; no two can get the same one. What it is called now is gone afterwards. */
export async function sealSegment(folder: string, path: string): Promise<number> {
  for (let no = ((await sealedNumbers(folder)).at(-1) ?? 0) + 1; ; no += 1) {
    try {
      await link(path, sealedPath(folder, no));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue;
      throw error;
    }
    await syncFolder(folder);
    await rm(path, { force: true });
    return no;
  }
}

/** Says which pipelines read the folder: what one of them hasn't committed stays. */
export async function setReaders(folder: string, pipelines: readonly string[]): Promise<void> {
  await replaceFile(join(folder, readersFile), JSON.stringify(pipelines));
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, text, { mode: 0o600, flush: true });
  await rename(temporary, path);
}

async function readReaders(folder: string): Promise<readonly string[]> {
  const parsed: unknown = JSON.parse(await unlessMissing(readFile(join(folder, readersFile), 'utf8'), '[]'));
  return Array.isArray(parsed) ? parsed.filter((name) => typeof name === 'string') : [];
}

/** How far a pipeline has committed, as far as it said; 0 when it never did. */
export async function committedNumber(folder: string, pipeline: string): Promise<number> {
  return Number(await unlessMissing(readFile(join(folder, readFolder, encodeURIComponent(pipeline)), 'utf8'), '0'));
}

/** Notes how far a pipeline has committed, and removes the segments that no pipeline needs any more. */
export async function releaseSegments(folder: string, pipeline: string, committed: number): Promise<void> {
  if ((await committedNumber(folder, pipeline)) < committed)
    await replaceFile(join(folder, readFolder, encodeURIComponent(pipeline)), String(committed));
  const readers = new Set([...(await readReaders(folder)), pipeline]);
  const numbers = await Promise.all([...readers].map((reader) => committedNumber(folder, reader)));
  const done = Math.min(...numbers);
  const sealed = await sealedNumbers(folder);
  for (const no of sealed.slice(0, -1)) if (no <= done) await rm(sealedPath(folder, no), { force: true });
}
