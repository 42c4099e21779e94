import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { removeLocal, startLocal, type LocalOptions, type LocalServers } from '../worker/local/index.ts';
import { findProcess } from '../worker/local/processes.ts';

/** The folder of this test run's servers, named for the process so that a later run can tell whether it still lives. */
const prefix = join(tmpdir(), 'millrace-test-');
const folder = `${prefix}${process.pid}`;

/** The PostgreSQL server that tests use; an administrator's URL. MILLRACE_TEST_POSTGRES names one, else the run starts its own. */
export async function postgresUrl(): Promise<string> {
  const given = process.env['MILLRACE_TEST_POSTGRES'];
  if (given !== undefined) return given;
  const { postgres } = await startTestServers({ postgres: true, temporal: false });
  if (postgres === undefined) throw new Error('no PostgreSQL');
  return postgres.url;
}

/** The address of the Temporal server that tests use. MILLRACE_TEST_TEMPORAL names one, else the run starts its own. */
export async function temporalAddress(): Promise<string> {
  const given = process.env['MILLRACE_TEST_TEMPORAL'];
  if (given !== undefined) return given;
  const { temporal } = await startTestServers({ postgres: false, temporal: true });
  if (temporal === undefined) throw new Error('no Temporal');
  return temporal.address;
}

/** The address of the UI of the Temporal server that tests use: a dev server's has the port a thousand above. */
export async function temporalUi(): Promise<string> {
  const ui = process.env['MILLRACE_TEST_TEMPORAL_UI'];
  if (ui !== undefined) return ui;
  const given = process.env['MILLRACE_TEST_TEMPORAL'];
  if (given !== undefined) return `http://127.0.0.1:${Number(given.split(':').at(-1)) + 1000}`;
  const { temporal } = await startTestServers({ postgres: false, temporal: true });
  if (temporal?.uiUrl === undefined) throw new Error('no Temporal UI');
  return temporal.uiUrl;
}

/** The environment of tests' servers: no Temporal of the user's own, by variable or profile. */
export function testEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_') || name === 'TEMPORAL_CLI_PATH');
  return { ...Object.fromEntries(own), TEMPORAL_CONFIG_FILE: join(folder, 'no-profile.toml') };
}

/** Starts both servers for the processes that this one starts too: their environment names them. */
export async function shareTestServers(): Promise<void> {
  const [postgres, temporal] = await Promise.all([postgresUrl(), temporalAddress()]);
  const ui = await temporalUi();
  Object.assign(process.env, { MILLRACE_TEST_POSTGRES: postgres, MILLRACE_TEST_TEMPORAL: temporal, MILLRACE_TEST_TEMPORAL_UI: ui });
}

/** Stops this run's servers and deletes what they stored. */
export async function stopTestServers(): Promise<void> {
  await removeServers(folder);
}

let prepared: Promise<void> | undefined;

/** Once in a run, however many tests ask at the same time. */
async function prepare(): Promise<void> {
  await removeServersOfDeadRuns();
  await mkdir(folder, { recursive: true });
}

async function startTestServers(need: LocalOptions['need']): Promise<LocalServers> {
  await (prepared ??= prepare());
  return startLocal({
    folder,
    project: 'test',
    need,
    log: (line) => console.error(`[test servers] ${line}`),
    environment: testEnvironment(),
    postgresSettings: { max_connections: '200', fsync: 'off' },
  });
}

async function removeServersOfDeadRuns(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => join(tmpdir(), name).startsWith(prefix));
  for (const name of names) {
    const path = join(tmpdir(), name);
    if ((await findProcess(Number(path.slice(prefix.length)))) !== undefined) continue;
    // What another run left behind must not stop this one.
    await removeServers(path).catch((error: unknown) => console.error(`[test servers] ${path} stays: ${String(error)}`));
  }
}

async function removeServers(path: string): Promise<void> {
  if (!existsSync(path)) return;
  await removeLocal(path);
  await rm(path, { recursive: true, force: true });
}

/** Makes an empty database of a unique name and gives its URL. */
export async function createDatabase(prefix: string): Promise<string> {
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  const url = await postgresUrl();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE "${name}"`);
  } finally {
    await client.end();
  }
  const made = new URL(url);
  made.pathname = `/${name}`;
  return made.href;
}

/** Drops a database that `createDatabase` made, ending its sessions. */
export async function dropDatabase(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  const client = new pg.Client({ connectionString: await postgresUrl() });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  } finally {
    await client.end();
  }
}
