import { chown, readFile, readdir, readlink, rename, rm, stat, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { MillraceError } from '../../schema/errors.ts';
import { serverAccount } from './account.ts';
import type { LocalOptions, LocalPostgres } from './options.ts';
import { postgresHome, postgresPlace, programShelf, type PostgresPlace } from './place.ts';
import { choosePort } from './ports.ts';
import { postgresPrograms } from './postgres-programs.ts';
import {
  commandLine,
  endProcess,
  findByCommand,
  findProcess,
  isAlive,
  startInBackground,
  waitUntil,
  type ProcessReference,
} from './processes.ts';
import { logFile, logSize, logTail, postgresPassword, readState, writeState } from './state.ts';

const firstPort = 54321;
const startSeconds = 120;

const settings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  shared_buffers: '256MB',
  max_connections: '100',
  max_wal_size: '2GB',
  password_encryption: 'scram-sha-256',
  log_line_prefix: '%m [%p] %a ',
};

/** Finds the project's PostgreSQL running, or starts it; makes its data and the database `warehouse` the first time. The caller holds the lock. */
export async function startPostgres(options: LocalOptions): Promise<LocalPostgres> {
  const place = await postgresPlace(options.folder, await serverAccount(options.log));
  const running = await findRunning(place);
  if (running !== undefined) {
    await writeState(options.folder, 'postgres', running);
    return { url: postgresAddress(place.password, running.port), port: running.port, started: false };
  }
  await endEarlier(place, options.log);
  const programs = await postgresPrograms(await programShelf(options.folder, options.environment ?? process.env));
  await makeData(programs, place, options.log);
  const port = await launch(programs, place, options);
  await makeDatabase(place.password, port);
  return { url: postgresAddress(place.password, port), port, started: true };
}

/** The project's PostgreSQL where it is alive, without a question to it. */
export async function alivePostgres(folder: string): Promise<LocalPostgres | undefined> {
  const kept = await readState(folder, 'postgres');
  if (kept === undefined || !(await isAlive(kept.process))) return undefined;
  return { url: postgresAddress(await postgresPassword(folder), kept.port), port: kept.port, started: false };
}

/** Ends the project's PostgreSQL, and those of earlier data. Says whether one ran. */
export async function stopPostgres(folder: string): Promise<boolean> {
  const running = await serversOf(await postgresHome(folder));
  for (const server of running) await endServer(server);
  const kept = await readState(folder, 'postgres');
  if (kept !== undefined) await writeState(folder, 'postgres', { port: kept.port });
  return running.length > 0;
}

/** The URL of a database of the local PostgreSQL, as its administrator. */
function postgresAddress(password: string, port: number, database = 'warehouse'): string {
  return `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

interface Running {
  readonly process: ProcessReference;
  readonly port: number;
}

/** The server of a data folder that answers with our password; one that lives without answering is ended. */
async function findRunning(place: PostgresPlace): Promise<Running | undefined> {
  const found = await findServer(place.data);
  if (found === undefined) return undefined;
  let failure: unknown;
  const healthy = await waitUntil(async () => {
    if (!(await isAlive(found.process))) return true;
    failure = await probe(place.password, found.port);
    return failure === undefined || !isStarting(failure);
  }, startSeconds);
  if (healthy && failure === undefined && (await isAlive(found.process))) return found;
  await endServer(found.process);
  return undefined;
}

/** Reads `postmaster.pid` (pid, data folder, start time, port, one a line) and proves that the process is the server of this folder. */
async function findServer(data: string): Promise<Running | undefined> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  const found = pid > 0 ? await findProcess(pid) : undefined;
  if (found === undefined || !(await commandLine(pid)).includes(data)) return undefined;
  return { process: found, port };
}

/** Every server on a data folder of this project, that of a deleted clone included. */
async function serversOf(home: string): Promise<ProcessReference[]> {
  return findByCommand(([, flag, data]) => flag === '-D' && data !== undefined && dirname(data) === home);
}

/** Fast shutdown, then an immediate one, then none. */
async function endServer(server: ProcessReference): Promise<void> {
  await endProcess(server, ['SIGINT', 'SIGQUIT', 'SIGKILL'], 20);
}

async function endEarlier(place: PostgresPlace, log: (line: string) => void): Promise<void> {
  for (const server of await serversOf(place.home)) {
    await endServer(server);
    log('ended a PostgreSQL that an earlier copy of this project had left running');
  }
}

/** initdb into a neighbouring folder, renamed when complete, so that an interrupted one is never taken for data. */
async function makeData(programs: string, place: PostgresPlace, log: (line: string) => void): Promise<void> {
  if (await exists(join(place.data, 'PG_VERSION'))) return;
  log('making the local PostgreSQL');
  const made = `${place.data}.new`;
  const password = `${place.data}.password.new`;
  await rm(made, { recursive: true, force: true });
  await writeFile(password, place.password, { mode: 0o600 });
  if (place.account !== undefined) await chown(password, place.account.uid, place.account.gid);
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  try {
    await promisify(execFile)(
      join(programs, 'bin', 'initdb'),
      [...locale, '--encoding=UTF8', '--data-checksums', '--auth=scram-sha-256', '--username=postgres', `--pwfile=${password}`, '-D', made],
      {
        cwd: '/',
        env: serverEnvironment(),
        ...(place.account === undefined ? {} : { uid: place.account.uid, gid: place.account.gid }),
      },
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim().split('\n').slice(-4).join('\n') : String(cause);
    throw new MillraceError('unavailable', `The local PostgreSQL could not be made in ${made}:\n${reason}`, { cause });
  } finally {
    await rm(password, { force: true });
  }
  await rename(made, place.data);
}

/** Starts the server and waits until it answers; tries again while children of a killed one hold its memory, and on another port when ours was lost. */
async function launch(programs: string, place: PostgresPlace, options: LocalOptions): Promise<number> {
  const log = await logFile(options.folder, 'postgres');
  const wanted = (await readState(options.folder, 'postgres'))?.port ?? firstPort;
  const end = Date.now() + startSeconds * 1000;
  for (;;) {
    const port = await choosePort(wanted, 'PostgreSQL', options.log);
    const from = await logSize(log);
    await endOrphans(place.data);
    await dropForeignPid(place.data);
    const args = { ...settings, cluster_name: options.project, ...options.postgresSettings, port: String(port) };
    const server = await startInBackground({
      program: join(programs, 'bin', 'postgres'),
      args: ['-D', place.data, ...Object.entries(args).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      log,
      environment: serverEnvironment(),
      account: place.account,
    });
    await writeState(options.folder, 'postgres', { port, process: server });
    if (await becomesHealthy(server, place.password, port, end)) return port;
    const reason = await logTail(log, from);
    if (Date.now() < end && /still in use|already in use|already exists/.test(reason)) {
      await sleep(200);
      continue;
    }
    await endServer(server);
    throw new MillraceError('unavailable', `The local PostgreSQL did not start. Its log ${log} ends with:\n${reason}`);
  }
}

async function becomesHealthy(server: ProcessReference, password: string, port: number, end: number): Promise<boolean> {
  let failure: unknown = new Error('not asked');
  await waitUntil(
    async () => {
      failure = await probe(password, port);
      return failure === undefined || !isStarting(failure) || !(await isAlive(server));
    },
    (end - Date.now()) / 1000,
  );
  return failure === undefined && (await isAlive(server));
}

/** Sessions of a killed server that still work would keep the next one from starting; Linux shows them by their working folder. */
async function endOrphans(data: string): Promise<void> {
  if (process.platform !== 'linux') return;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    if ((await readlink(`/proc/${name}/cwd`).catch(() => '')) !== data) continue;
    const orphan = await findProcess(Number(name));
    if (orphan !== undefined) await endProcess(orphan, ['SIGQUIT', 'SIGKILL'], 2);
  }
}

/** A pid file left by a crash may name a process that is something else by now; PostgreSQL would take it for a running server. */
async function dropForeignPid(data: string): Promise<void> {
  const path = join(data, 'postmaster.pid');
  const pid = Number((await readFile(path, 'utf8').catch(() => '')).split('\n')[0]);
  if (pid > 0 && (await findProcess(pid)) !== undefined && (await findServer(data)) === undefined) await rm(path);
}

async function probe(password: string, port: number): Promise<unknown> {
  const client = new pg.Client({ connectionString: postgresAddress(password, port, 'postgres'), connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Nobody listens yet, or the server says that it is starting up (57P03) or has cut the connection. */
function isStarting(failure: unknown): boolean {
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  return code === undefined || code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === '57P03';
}

async function makeDatabase(password: string, port: number): Promise<void> {
  const client = new pg.Client({ connectionString: postgresAddress(password, port, 'postgres') });
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = 'warehouse'");
    if (rowCount === 0) await client.query('CREATE DATABASE warehouse');
  } finally {
    await client.end();
  }
}

/** Nothing of ours: no PG variables that would change its settings, and no secrets. */
function serverEnvironment(): Record<string, string> {
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
