import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** The servers that Millrace starts. */
export type LocalServer = 'postgres' | 'temporal';

const serverState = z.object({
  port: z.int(),
  uiPort: z.int().optional(),
  process: z.object({ pid: z.int(), born: z.string() }).optional(),
});

/** What the project folder remembers of a server: the ports to use again, and the process that was started; none after a stop. */
export type ServerState = z.infer<typeof serverState>;

/** The folder of a project's local files, made when missing. */
export async function localFolder(folder: string): Promise<string> {
  const local = join(folder, '.millrace');
  await mkdir(join(local, 'logs'), { recursive: true, mode: 0o700 });
  return local;
}

/** Reads what is remembered of a server; a file that is missing or damaged counts as nothing. */
export async function readState(folder: string, server: LocalServer): Promise<ServerState | undefined> {
  try {
    return serverState.parse(JSON.parse(await readFile(join(folder, '.millrace', `${server}.json`), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Remembers a server; the caller holds the lock. */
export async function writeState(folder: string, server: LocalServer, state: ServerState): Promise<void> {
  const path = join(await localFolder(folder), `${server}.json`);
  await writeFile(`${path}.new`, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** The password of the project's PostgreSQL, made at the first call and readable by its owner only. */
export async function postgresPassword(folder: string): Promise<string> {
  const path = join(await localFolder(folder), 'postgres.password');
  const kept = await readFile(path, 'utf8').catch(() => '');
  if (kept.trim() !== '') return kept.trim();
  const password = randomBytes(18).toString('base64url');
  await writeFile(path, `${password}\n`, { mode: 0o600 });
  return password;
}

/** The log file of a server; the one before is kept beside it when it has grown beyond 10 MB. */
export async function logFile(folder: string, server: string): Promise<string> {
  const path = join(await localFolder(folder), 'logs', `${server}.log`);
  const size = await logSize(path);
  if (size > 10_000_000) await rename(path, `${path}.old`);
  return path;
}

/** The length of a log file, to tell later what was written since. */
export async function logSize(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** The last lines of a log file behind a position. */
export async function logTail(path: string, from: number): Promise<string> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  return bytes.subarray(from).toString('utf8').trim().split('\n').slice(-6).join('\n');
}
