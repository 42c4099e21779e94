import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProcess, isAlive } from './processes.ts';

/**
 * Runs `work` while this process alone holds the lock file. A lock whose process has died is taken over.
 * @param waiting called once when another process holds it
 */
export async function withLock<T>(path: string, waiting: (holder: number) => void, work: () => Promise<T>): Promise<T> {
  await acquire(path, waiting);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, waiting: (holder: number) => void): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  let told = false;
  while (!(await tryLink(path))) {
    const holder = await readHolder(path);
    if (holder !== undefined && (await isAlive(holder))) {
      if (!told && holder.pid !== process.pid) waiting(holder.pid);
      told = true;
    } else if (holder !== undefined) {
      await removeStale(path);
      continue;
    }
    await sleep(100);
  }
}

/** A link appears with its content or not at all, and fails where the name exists. */
async function tryLink(path: string): Promise<boolean> {
  const own = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(own, JSON.stringify(await findProcess(process.pid)));
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** Removes a dead process's lock under a second lock, so that nobody removes the lock that another one has just taken. */
async function removeStale(path: string): Promise<void> {
  const guard = `${path}.stale`;
  if (!(await tryLink(guard))) {
    if (!(await isAlive(await readHolder(guard)))) await rm(guard, { force: true });
    return;
  }
  try {
    if (!(await isAlive(await readHolder(path)))) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

async function readHolder(path: string): Promise<{ pid: number; born: string } | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('born' in value)) return undefined;
    return { pid: Number(value.pid), born: String(value.born) };
  } catch {
    return undefined;
  }
}
