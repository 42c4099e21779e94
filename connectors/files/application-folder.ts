import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MillraceError, type ErrorCode } from '../../schema/errors.ts';
import type { CheckReport } from '../connector.ts';

/** Where the files of an object go. */
export interface FilesTarget {
  readonly root: string;
  /** Folders below the root. */
  readonly folders: readonly string[];
  /** How the files' names begin. */
  readonly stem: string;
}

/** No part may lead elsewhere, be hidden, or mean something else on another system. */
const safePart = /^[^./\\:*?"<>|\p{Cc}][^/\\:*?"<>|\p{Cc}]*$/u;

/** The folders and the stem of an object's name. Throws `config` for names that lead out of the root, or can't be a file's. */
export function targetOf(root: string, object: string): FilesTarget {
  const parts = object.split('/');
  const bad = parts.find((part) => !safePart.test(part) || part.length > 100 || part.endsWith('.') || part.endsWith(' '));
  const stem = parts.at(-1);
  if (bad !== undefined || stem === undefined) {
    throw new MillraceError(
      'config',
      `object ${JSON.stringify(object)} can't be a file: give a name, or folders and a name (daily/accounts), without .. and without a / at the beginning`,
    );
  }
  return { root, folders: parts.slice(0, -1), stem };
}

/** Says whether files can be written, without writing one. */
export async function checkWritable(root: string, object: string): Promise<CheckReport> {
  const system = `folder ${root}`;
  try {
    const { folders } = targetOf(root, object);
    await refuseLinks(root, folders);
    const existing = await nearestFolder(join(root, ...folders));
    await access(existing, constants.W_OK | constants.X_OK).catch(() => {
      throw new MillraceError('auth', `the worker's user may not write into ${existing}; grant it: chmod u+w, or make it the owner`);
    });
    return { system, problems: [], warnings: [] };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return { system, problems: [error.message], warnings: [] };
  }
}

async function nearestFolder(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined);
  return found === undefined && dirname(path) !== path ? await nearestFolder(dirname(path)) : path;
}

/** A link below the root could lead anywhere. */
async function refuseLinks(root: string, folders: readonly string[]): Promise<void> {
  for (let depth = 1; depth <= folders.length; depth += 1) {
    const path = join(root, ...folders.slice(0, depth));
    const found = await lstat(path).catch(() => undefined);
    if (found !== undefined && !found.isDirectory()) {
      throw new MillraceError('config', `${path} is not a folder (a link?); files are written into folders below ${root} only`);
    }
  }
}

/** Writes a file whole or not at all: under another name first, in place when its bytes are on the disk. */
export async function replaceFile(target: FilesTarget, name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  const { root, folders } = target;
  try {
    await refuseLinks(root, folders);
    const folder = join(root, ...folders);
    await mkdir(folder, { recursive: true });
    signal.throwIfAborted();
    const temporary = join(folder, `.${name}.${randomBytes(6).toString('hex')}`);
    try {
      await writeDurably(temporary, bytes);
      signal.throwIfAborted();
      await rename(temporary, join(folder, name));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(folder);
  } catch (error) {
    throw translate(error);
  }
}

/** Removes what attempts that were killed had begun to write. One that still writes fails, for it has been replaced. */
export async function removeLeftovers({ root, folders }: FilesTarget, begins: string): Promise<void> {
  await refuseLinks(root, folders);
  const folder = join(root, ...folders);
  const names = await readdir(folder).catch(() => []);
  const leftovers = names.filter((name) => name.startsWith(`.${begins}`));
  await Promise.all(leftovers.map(async (name) => await rm(join(folder, name), { force: true })));
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const remedies: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  EACCES: ['auth', "; grant it to the worker's user: chmod u+w, or make it the owner"],
  EPERM: ['auth', "; grant it to the worker's user: chmod u+w, or make it the owner"],
  EROFS: ['auth', '; the file system is read-only'],
  ENOTDIR: ['config', '; a part of it is a file'],
  ENAMETOOLONG: ['config', '; give the object a shorter name'],
};

/** A file that wasn't put in place has had no effect. */
function translate(error: unknown): unknown {
  if (error instanceof MillraceError || !(error instanceof Error && 'code' in error && typeof error.code === 'string')) return error;
  const path = 'path' in error && typeof error.path === 'string' ? error.path : 'the folder';
  const [code, remedy] = remedies[error.code] ?? ['unavailable', ''];
  return new MillraceError(code, `${path} can't be written (${error.code})${remedy}`);
}
