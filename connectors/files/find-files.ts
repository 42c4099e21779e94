import { realpath, stat } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { glob } from 'tinyglobby';
import { MillraceError } from '../../schema/errors.ts';

/** A file as it was when it was looked at; with the same values later, it is taken to have the same bytes. */
export interface FoundFile {
  /** Below the connection's folder, with `/`. */
  readonly path: string;
  readonly size: number;
  /** Time of the last change in nanoseconds since 1970. */
  readonly modified: string;
  readonly inode: string;
}

/** True when the pattern stands for any number of files. */
function hasWildcard(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

/**
 * Files below the folder that match a path or a glob (`*`, `**`, `?`), in the order of their paths. Hidden files are left out.
 * Throws `config` for a pattern or a link that leads out of the folder.
 */
export async function findFiles(folder: string, pattern: string): Promise<readonly FoundFile[]> {
  if (pattern === '' || resolve(folder, pattern) === folder || isOutside(folder, resolve(folder, pattern))) {
    throw new MillraceError(
      'config',
      `The path ${JSON.stringify(pattern)} does not lie below ${folder}. Write it relative to that folder.`,
    );
  }
  const paths = hasWildcard(pattern)
    ? await expandGlob(folder, pattern)
    : [relative(folder, resolve(folder, pattern)).split(sep).join('/')];
  const found = await Promise.all(paths.map((path) => lookAt(folder, path)));
  return found.filter((file) => file !== undefined).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Absolute path of a file, links resolved. Throws `config` when it lies outside of the folder. */
export async function locate(folder: string, path: string): Promise<string> {
  const real = await realpath(resolve(folder, path));
  if (!isOutside(await realpath(folder), real)) return real;
  throw new MillraceError(
    'config',
    `${path} in ${folder} is a link that leads out of the folder. Copy the file into it, or make a connection for the other folder.`,
  );
}

/** The error with the file's name before its message, when it is one for people. */
export function nameFile(error: unknown, folder: string, path: string): unknown {
  if (!(error instanceof MillraceError) || error.message.startsWith(path)) return error;
  return new MillraceError(error.code, `${path} in ${folder}: ${error.message}`, { cause: error });
}

async function expandGlob(folder: string, pattern: string): Promise<readonly string[]> {
  const escaped = pattern.replaceAll(/[[\]{}()!+@|\\]/g, String.raw`\$&`);
  return glob(escaped, { cwd: folder, dot: false, onlyFiles: true, followSymbolicLinks: true, expandDirectories: false });
}

async function lookAt(folder: string, path: string): Promise<FoundFile | undefined> {
  try {
    const found = await stat(await locate(folder, path), { bigint: true });
    if (!found.isFile()) return undefined;
    return { path, size: Number(found.size), modified: String(found.mtimeNs), inode: String(found.ino) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined;
    throw error;
  }
}

function isOutside(folder: string, path: string): boolean {
  const below = relative(folder, path);
  return below === '..' || below.startsWith(`..${sep}`) || resolve(folder, below) !== path || /^[A-Za-z]:/.test(below);
}
