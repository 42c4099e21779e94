import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { MillraceError } from '../schema/errors.ts';
import type { StagedFile, StagedFormat } from '../schema/load.ts';
import { readChecked, type Sum, writeChecked } from './checked-bytes.ts';
import { explainDiskFault } from './disk-faults.ts';
import { isStagedName } from './name.ts';
import type { Staging } from './staging.ts';
import { identifyStore, type Store } from './store-id.ts';

const scratchFolder = '.scratch';

/**
 * Staging in a folder of one host, or one that all hosts mount. Files are written in `.scratch` below the root and renamed when
 * they are durable. What Millrace makes is readable by its own user only.
 */
export async function openFolderStaging(root: string): Promise<Staging> {
  const folder = resolve(root);
  const store = await openStore(folder);
  return {
    id: store.id,
    write: async (name, format, bytes, rows, signal) => {
      const sum = await publish(folder, scratchPath(folder), name, (file) => writeChecked(file, bytes, signal), 'wx');
      return reference(store, name, format, rows(), sum);
    },
    scratch: async () => {
      await mkdir(join(folder, scratchFolder), { recursive: true, mode: 0o700 });
      return scratchPath(folder);
    },
    adopt: async (path, name, format, rows, beat) => {
      const sum = await publish(folder, path, name, (file) => sumOf(file, beat), 'r+');
      return reference(store, name, format, rows, sum);
    },
    read: (file) => readFile(folder, store, file),
    local: async (file) => {
      const handle = await openStaged(folder, store, file);
      await handle.close();
      return join(folder, file.name);
    },
    list: (name) => foldersOldestFirst(pathOf(folder, name)),
    remove: (name) => rm(pathOf(folder, name), { recursive: true, force: true, maxRetries: 3 }),
    sweep: (age) => sweepScratch(join(folder, scratchFolder), age),
  };
}

async function openStore(folder: string): Promise<Store> {
  try {
    await mkdir(join(folder, scratchFolder), { recursive: true, mode: 0o700 });
    return await identifyStore(folder);
  } catch (error) {
    throw await explainDiskFault(error, folder);
  }
}

function scratchPath(folder: string): string {
  return join(folder, scratchFolder, randomUUID());
}

function pathOf(folder: string, name: string): string {
  if (!isStagedName(name)) throw new TypeError(`Not a name of staging: ${JSON.stringify(name)}`);
  return join(folder, name);
}

function reference(store: Store, name: string, format: StagedFormat, rows: number, sum: Sum): StagedFile {
  return { store: store.id, name, format, rows, bytes: sum.bytes, sha256: sum.sha256 };
}

/** Fills the file at `path`, makes it durable, then gives it its name; on failure nothing stays at either. */
async function publish(
  folder: string,
  path: string,
  name: string,
  fill: (file: FileHandle) => Promise<Sum>,
  flags: 'wx' | 'r+',
): Promise<Sum> {
  const target = pathOf(folder, name);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, flags, 0o600);
    let sum: Sum;
    try {
      sum = await fill(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await makeDurable(folder, path, target);
    return sum;
  } catch (error) {
    await rm(path, { force: true });
    throw await explainDiskFault(error, folder);
  }
}

async function makeDurable(folder: string, path: string, target: string): Promise<void> {
  const made = await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await rename(path, target);
  await syncFolder(dirname(target));
  if (made === undefined) return;
  for (let above = dirname(dirname(target)); above.length >= folder.length; above = dirname(above)) await syncFolder(above);
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function sumOf(file: FileHandle, beat: () => void): Promise<Sum> {
  let result: Sum = { bytes: 0, sha256: '' };
  for await (const _chunk of readChecked(file, (sum) => (result = sum))) beat();
  return result;
}

async function* readFile(folder: string, store: Store, file: StagedFile): AsyncGenerator<Uint8Array> {
  const handle = await openStaged(folder, store, file);
  try {
    yield* readChecked(handle, (sum) => {
      if (sum.bytes !== file.bytes || sum.sha256 !== file.sha256) throw lost(folder, file, 'its checksum differs from what was written');
    });
  } finally {
    await handle.close();
  }
}

/** Opens a file of this store and length. */
async function openStaged(folder: string, store: Store, file: StagedFile): Promise<FileHandle> {
  if (file.store !== store.id) throw otherStore(folder, store, file);
  const handle = await open(pathOf(folder, file.name), 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? lost(folder, file, 'it is missing') : error;
  });
  const { size } = await handle.stat();
  if (size === file.bytes) return handle;
  await handle.close();
  throw lost(folder, file, `it has ${size} bytes instead of ${file.bytes}`);
}

function lost(folder: string, file: StagedFile, why: string): MillraceError {
  return new MillraceError(
    'staging-lost',
    `The staged file ${file.name} in ${folder} can't be used: ${why}. It has to be read from its source again.`,
  );
}

function otherStore(folder: string, store: Store, file: StagedFile): MillraceError {
  return new MillraceError(
    'config',
    `The staged file ${file.name} is in the store ${file.store}, but this worker on ${hostname()} stages in ${folder}, which is the store ${store.id} ` +
      `made on ${store.madeOn}. Give all workers of the project the same staging folder (or a shared store); if the folder was removed, run again.`,
  );
}

async function foldersOldestFirst(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(whenMissing([]));
  const names = entries.filter((entry) => entry.isDirectory() && isStagedName(entry.name)).map((entry) => entry.name);
  const dated = await Promise.all(
    names.map(async (name) => ({ name, time: (await stat(join(path, name)).catch(whenMissing(undefined)))?.mtimeMs })),
  );
  return dated
    .filter((entry) => entry.time !== undefined)
    .sort((a, b) => (a.time ?? 0) - (b.time ?? 0) || (a.name < b.name ? -1 : 1))
    .map((entry) => entry.name);
}

async function sweepScratch(path: string, age: number): Promise<number> {
  const before = Date.now() - age;
  let removed = 0;
  for (const name of await readdir(path).catch(whenMissing([]))) {
    const found = await stat(join(path, name)).catch(whenMissing(undefined));
    if (found === undefined || found.mtimeMs > before) continue;
    await rm(join(path, name), { recursive: true, force: true });
    removed += 1;
  }
  return removed;
}

function whenMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return value;
    throw error;
  };
}
