import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { MillraceError } from '../schema/errors.ts';
import type { StagedFile, StagedFormat } from '../schema/load.ts';
import { checked, readBytes, type Sum, summed, writeBytes } from './checked-bytes.ts';
import { explainDiskFault } from './disk-faults.ts';
import type { StagingKeys } from './keys.ts';
import { isStagedName } from './name.ts';
import { maxHeaderBytes, readHeader, seal, SealBroken, sealedSize, unseal } from './sealed-bytes.ts';
import type { LocalFile, Staging } from './staging.ts';
import { identifyStore, type Store } from './store-id.ts';

const scratchFolder = '.scratch';

export interface FolderStagingOptions {
  /** Files are encrypted with them. Files from before there were keys stay readable. */
  readonly keys?: StagingKeys | undefined;
  /** Where tools write, and read what is decrypted for them. Default: `.scratch` below the root. */
  readonly scratch?: string | undefined;
}

/** A folder as this process has opened it. */
interface Place {
  readonly folder: string;
  readonly scratch: string;
  readonly store: Store;
  readonly keys: StagingKeys | undefined;
}

/**
 * Staging in a folder of one host, or one that all hosts mount. Files are written in `.scratch` below the root and renamed when
 * they are durable. What Millrace makes is readable by its own user only.
 */
export async function openFolderStaging(root: string, options: FolderStagingOptions = {}): Promise<Staging> {
  const folder = resolve(root);
  const scratch = options.scratch === undefined ? join(folder, scratchFolder) : resolve(options.scratch);
  const store = await openStore(folder, scratch);
  const place: Place = { folder, scratch, store, keys: options.keys };
  return {
    id: store.id,
    encrypts: options.keys !== undefined,
    write: async (name, format, bytes, rows, signal) => {
      const sum = await write(place, name, bytes, signal);
      return reference(store, name, format, rows(), sum);
    },
    scratch: async () => {
      await mkdir(scratch, { recursive: true, mode: 0o700 });
      return join(scratch, randomUUID());
    },
    adopt: async (path, name, format, rows, beat) => reference(store, name, format, rows, await adopt(place, path, name, beat)),
    read: (file) => readFile(place, file),
    local: async (file) => await localFile(place, file),
    list: (name) => foldersOldestFirst(pathOf(folder, name)),
    remove: (name) => rm(pathOf(folder, name), { recursive: true, force: true, maxRetries: 3 }),
    sweep: async (age) => {
      const own = join(folder, scratchFolder);
      return (await sweepScratch(own, age)) + (scratch === own ? 0 : await sweepScratch(scratch, age));
    },
  };
}

async function openStore(folder: string, scratch: string): Promise<Store> {
  try {
    for (const path of [join(folder, scratchFolder), scratch]) await mkdir(path, { recursive: true, mode: 0o700 });
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

/** Writes a file, encrypted where there are keys; the sum is of its bytes in clear. */
async function write(place: Place, name: string, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Sum> {
  let sum: Sum = { bytes: 0, sha256: '' };
  const clear = summed(bytes, (found) => (sum = found));
  const stored = place.keys === undefined ? clear : seal(clear, place.keys);
  await publish(place.folder, scratchPath(place.folder), name, (file) => writeBytes(file, stored, signal), 'wx');
  return sum;
}

async function adopt(place: Place, path: string, name: string, beat: () => void): Promise<Sum> {
  if (place.keys === undefined && place.scratch === join(place.folder, scratchFolder)) {
    let sum: Sum = { bytes: 0, sha256: '' };
    await publish(place.folder, path, name, async (file) => (sum = await sumOf(readBytes(file), beat)), 'r+');
    return sum;
  }
  const file = await open(path, 'r');
  try {
    return await write(place, name, beating(readBytes(file), beat));
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

async function* beating(bytes: AsyncIterable<Uint8Array>, beat: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    beat();
    yield chunk;
  }
}

/** Fills the file at `path`, makes it durable, then gives it its name; on failure nothing stays at either. */
async function publish(
  folder: string,
  path: string,
  name: string,
  fill: (file: FileHandle) => Promise<unknown>,
  flags: 'wx' | 'r+',
): Promise<void> {
  const target = pathOf(folder, name);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, flags, 0o600);
    try {
      await fill(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await makeDurable(folder, path, target);
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

async function sumOf(bytes: AsyncIterable<Uint8Array>, beat: () => void): Promise<Sum> {
  let sum: Sum = { bytes: 0, sha256: '' };
  for await (const _chunk of summed(bytes, (found) => (sum = found))) beat();
  return sum;
}

async function* readFile(place: Place, file: StagedFile): AsyncGenerator<Uint8Array> {
  await using opened = await openStaged(place, file);
  try {
    yield* checked(opened.bytes(), (sum) => {
      if (sum.bytes !== file.bytes || sum.sha256 !== file.sha256)
        throw lost(place.folder, file, 'its checksum differs from what was written');
    });
  } catch (error) {
    throw error instanceof SealBroken ? lost(place.folder, file, error.message) : error;
  }
}

/** The file itself where it is in clear; else a copy in clear, which goes when it isn't needed any more. */
async function localFile(place: Place, file: StagedFile): Promise<LocalFile> {
  await using opened = await openStaged(place, file);
  if (!opened.sealed) return { path: join(place.folder, file.name), [Symbol.asyncDispose]: async () => undefined };
  const path = join(place.scratch, randomUUID());
  const remove = (): Promise<void> => rm(path, { force: true });
  const copy = await open(path, 'wx', 0o600);
  try {
    await writeBytes(copy, readFile(place, file));
  } catch (error) {
    await remove();
    throw error instanceof MillraceError ? error : await explainDiskFault(error, place.scratch);
  } finally {
    await copy.close();
  }
  return { path, [Symbol.asyncDispose]: remove };
}

interface Opened extends AsyncDisposable {
  readonly sealed: boolean;
  /** Its bytes in clear. */
  bytes(): AsyncIterable<Uint8Array>;
}

/** Opens a file of this store and length. */
async function openStaged(place: Place, file: StagedFile): Promise<Opened> {
  const { folder, store } = place;
  if (file.store !== store.id) throw otherStore(folder, store, file);
  const handle = await open(pathOf(folder, file.name), 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? lost(folder, file, 'it is missing') : error;
  });
  const close = async (): Promise<void> => await handle.close();
  const { size } = await handle.stat();
  if (size === file.bytes) return { sealed: false, bytes: () => readBytes(handle), [Symbol.asyncDispose]: close };
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(maxHeaderBytes), 0, maxHeaderBytes, 0);
  const header = readHeader(buffer.subarray(0, bytesRead));
  if (header === undefined || size !== sealedSize(file.bytes, header.keyId)) {
    await close();
    throw lost(folder, file, `it has ${size} bytes instead of ${file.bytes}`);
  }
  const { keys } = place;
  if (keys?.byId.has(header.keyId) !== true) {
    await close();
    const message = `The staged file ${file.name} in ${folder} is encrypted with the key ${header.keyId}: put that key into MILLRACE_STAGING_KEYS of this worker.`;
    throw new MillraceError('config', message);
  }
  return { sealed: true, bytes: () => unseal(header, readBytes(handle, header.bytes.length), keys), [Symbol.asyncDispose]: close };
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
