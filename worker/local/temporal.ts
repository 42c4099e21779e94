import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import { searchAttributeNames } from '../../client/search-attributes.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { LocalOptions, LocalTemporal } from './options.ts';
import { cacheFolder } from './place.ts';
import { choosePort } from './ports.ts';
import { endProcess, findByCommand, isAlive, startInBackground, waitUntil, type ProcessReference } from './processes.ts';
import { logFile, logSize, logTail, readState, writeState } from './state.ts';
import { temporalProgram } from './temporal-program.ts';

const firstPort = 7233;
const uiDistance = 1000;
const startSeconds = 60;
const attempts = 3;
/** The gRPC status NOT_FOUND. */
const notFound = 5;

/** The server that TEMPORAL_ADDRESS or a profile names; `undefined` where neither does. */
export function externalTemporal(environment: NodeJS.ProcessEnv): LocalTemporal | undefined {
  const variables = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  let address: string | undefined;
  try {
    address = loadClientConfigProfile({ overrideEnvVars: variables }).address;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MillraceError('config', `Temporal's profile can't be read: ${reason}. See TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE.`, {
      cause,
    });
  }
  if (address === undefined || address === '') return undefined;
  return { address, uiUrl: environment['TEMPORAL_UI_URL'], started: false, external: true };
}

/** Finds the project's Temporal dev server running, or starts it on the project's database file. The caller holds the lock. */
export async function startTemporal(options: LocalOptions): Promise<LocalTemporal> {
  const kept = await readState(options.folder, 'temporal');
  if (kept?.process !== undefined && (await becomesHealthy(kept.process, kept.port))) {
    return describe(kept.port, kept.uiPort ?? kept.port + uiDistance, false);
  }
  await endStrays(options.folder);
  const environment = options.environment ?? process.env;
  const program = await temporalProgram(environment, await cacheFolder(options.folder, environment), options.log);
  return launchOnFreePorts(program, kept?.port ?? firstPort, kept?.uiPort, options);
}

async function launchOnFreePorts(
  program: string,
  wanted: number,
  wantedUi: number | undefined,
  options: LocalOptions,
): Promise<LocalTemporal> {
  let reason = '';
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = await choosePort(wanted, "Temporal's dev server", options.log);
    const uiPort = await choosePort(wantedUi ?? port + uiDistance, "Temporal's UI", options.log);
    const failure = await launch(program, port, uiPort, options);
    if (failure === undefined) return describe(port, uiPort, true);
    reason = failure;
    if (!reason.includes('address already in use')) break;
  }
  throw new MillraceError(
    'unavailable',
    `Temporal's dev server (${program}) did not start. Its log ${join(options.folder, '.millrace', 'logs', 'temporal.log')} ends with:\n${reason}`,
  );
}

/** The project's dev server where it is alive, without a question to it. */
export async function aliveTemporal(folder: string): Promise<LocalTemporal | undefined> {
  const kept = await readState(folder, 'temporal');
  return kept !== undefined && (await isAlive(kept.process))
    ? describe(kept.port, kept.uiPort ?? kept.port + uiDistance, false)
    : undefined;
}

/** Ends the project's dev server. Says whether it ran. */
export async function stopTemporal(folder: string): Promise<boolean> {
  const ran = await endStrays(folder);
  const kept = await readState(folder, 'temporal');
  if (kept !== undefined) await writeState(folder, 'temporal', { port: kept.port, uiPort: kept.uiPort });
  return ran;
}

/** Ends every dev server on this project's database file, that of a deleted clone included. Says whether there was one. */
async function endStrays(folder: string): Promise<boolean> {
  const file = databaseFile(folder);
  const running = await findByCommand((words) => words.includes('start-dev') && words.includes(file));
  for (const server of running) await endProcess(server, ['SIGTERM', 'SIGKILL'], 10);
  return running.length > 0;
}

function databaseFile(folder: string): string {
  return join(folder, '.millrace', 'temporal', 'temporal.db');
}

async function launch(program: string, port: number, uiPort: number, options: LocalOptions): Promise<string | undefined> {
  const log = await logFile(options.folder, 'temporal');
  const from = await logSize(log);
  const database = databaseFile(options.folder);
  await mkdir(dirname(database), { recursive: true });
  const server = await startInBackground({
    program,
    args: serverArguments(port, uiPort, database),
    log,
    environment: { PATH: '/usr/bin:/bin', HOME: dirname(database) },
  });
  await writeState(options.folder, 'temporal', { port, uiPort, process: server });
  return (await becomesHealthy(server, port)) ? undefined : logTail(log, from);
}

/** Waits until the server answers; one that lives but doesn't answer is ended. */
async function becomesHealthy(server: ProcessReference, port: number): Promise<boolean> {
  await waitUntil(async () => !(await isAlive(server)) || (await answers(port)), startSeconds);
  if ((await isAlive(server)) && (await answers(port))) return true;
  await endProcess(server, ['SIGTERM', 'SIGKILL'], 5);
  return false;
}

function serverArguments(port: number, uiPort: number, database: string): string[] {
  const options = {
    ip: '127.0.0.1',
    port: String(port),
    'ui-port': String(uiPort),
    'log-level': 'warn',
    'db-filename': database,
    'dynamic-config-value': 'system.enableActivityEagerExecution=true',
  };
  const pragmas = ['journal_mode=wal', 'synchronous=1'].flatMap((pragma) => ['--sqlite-pragma', pragma]);
  const attributes = searchAttributeNames.flatMap((name) => ['--search-attribute', `${name}=Keyword`]);
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return ['server', 'start-dev', ...flags, ...pragmas, ...attributes];
}

/**
 * Whether a Temporal server answers a question that goes through to its stored history, which after a crash comes later than the front end.
 * Task queues and schedules can take 9 seconds more then, until the server gives up on the processes of its killed predecessor.
 * A proxy of the environment is not asked for a loopback address.
 */
async function answers(port: number): Promise<boolean> {
  const address = `127.0.0.1:${port}`;
  const question = { namespace: 'default', execution: { workflowId: 'millrace-health' } };
  let connection: Connection | undefined;
  try {
    const opened = await Connection.connect({ address, connectTimeout: '2s', channelArgs: { 'grpc.enable_http_proxy': 0 } });
    connection = opened;
    await opened.withDeadline(Date.now() + 1000, () => opened.workflowService.describeWorkflowExecution(question));
    return true;
  } catch (error) {
    return isGrpcServiceError(error) && error.code === notFound;
  } finally {
    await connection?.close();
  }
}

function describe(port: number, uiPort: number, started: boolean): LocalTemporal {
  return { address: `127.0.0.1:${port}`, uiUrl: `http://127.0.0.1:${uiPort}`, started, external: false };
}
