import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from './lock.ts';
import type { LocalOptions, LocalServers, LocalTemporal } from './options.ts';
import { postgresHome } from './place.ts';
import { alivePostgres, startPostgres, stopPostgres } from './postgres.ts';
import { localFolder, readState, type LocalServer } from './state.ts';
import { aliveTemporal, externalTemporal, startTemporal, stopTemporal } from './temporal.ts';

/**
 * Starts what a project needs and doesn't run yet: PostgreSQL and Temporal's dev server, in the background, on loopback, on the ports of last
 * time. May be called again, and by several processes at once: what runs is found by process and by a question to it.
 */
export async function startLocal(options: LocalOptions): Promise<LocalServers> {
  const folder = await realpath(options.folder);
  return locked(folder, options.log, () => startServers({ ...options, folder }, options.need));
}

async function startServers(options: LocalOptions, need: LocalOptions['need']): Promise<LocalServers> {
  const [postgres, temporal] = await Promise.allSettled([
    need.postgres ? startPostgres(options) : undefined,
    need.temporal ? temporalServer(options) : undefined,
  ]);
  if (postgres.status === 'rejected') throw postgres.reason;
  if (temporal.status === 'rejected') throw temporal.reason;
  return {
    ...(postgres.value === undefined ? {} : { postgres: postgres.value }),
    ...(temporal.value === undefined ? {} : { temporal: temporal.value }),
  };
}

async function temporalServer(options: LocalOptions): Promise<LocalTemporal> {
  return externalTemporal(options.environment ?? process.env) ?? startTemporal(options);
}

/** The servers of this folder that are alive, by their processes; a Temporal that TEMPORAL_ADDRESS or a profile names is told, not asked. */
export async function localStatus(folder: string, environment: NodeJS.ProcessEnv = process.env): Promise<LocalServers> {
  const real = await realpath(folder);
  const [postgres, temporal] = [await alivePostgres(real), externalTemporal(environment) ?? (await aliveTemporal(real))];
  return { ...(postgres === undefined ? {} : { postgres }), ...(temporal === undefined ? {} : { temporal }) };
}

/** Stops the servers that `startLocal` started for this folder and gives their names; what they stored stays. */
export async function stopLocal(folder: string, log: (line: string) => void = () => undefined): Promise<readonly LocalServer[]> {
  const real = await realpath(folder);
  return locked(real, log, async () => {
    const [temporal, postgres] = [await stopTemporal(real), await stopPostgres(real)];
    return [...(temporal ? (['temporal'] as const) : []), ...(postgres ? (['postgres'] as const) : [])];
  });
}

/** Stops the servers of this folder and deletes what they stored, ports and password included. */
export async function removeLocal(folder: string): Promise<void> {
  await stopLocal(folder);
  const real = await realpath(folder);
  const stored = ['temporal', 'temporal.json', 'postgres.json', 'postgres.password', 'logs'].map((name) => join(real, '.millrace', name));
  for (const path of [await postgresHome(real), ...stored]) await rm(path, { recursive: true, force: true });
}

/**
 * Starts a server again that died; leaves one alone that was stopped on purpose, also while this call waited for its turn.
 * @returns what runs now, or `undefined` when it was stopped
 */
export async function restartDied(server: LocalServer, options: LocalOptions): Promise<LocalServers | undefined> {
  const folder = await realpath(options.folder);
  return locked(folder, options.log, async () => {
    if ((await readState(folder, server))?.process === undefined) return undefined;
    return startServers({ ...options, folder }, { postgres: server === 'postgres', temporal: server === 'temporal' });
  });
}

async function locked<T>(folder: string, log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  const path = join(await localFolder(folder), 'lock');
  return withLock(path, (holder) => log(`waiting for process ${holder}, which is starting or stopping the servers`), work);
}
