import { randomInt } from 'node:crypto';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { removeLocal, startLocal } from '../../worker/local/index.ts';
import { cacheFolder } from '../../worker/local/place.ts';
import { choosePort } from '../../worker/local/ports.ts';
import { endProcess, startInBackground, type ProcessReference } from '../../worker/local/processes.ts';
import { readState } from '../../worker/local/state.ts';
import { temporalProgram } from '../../worker/local/temporal-program.ts';
import { testEnvironment } from '../servers.ts';
import { until } from '../workflows/until.ts';

/** A server that a test may kill and start again, on the same data and port. */
export interface OwnServer extends AsyncDisposable {
  /** URL of a database, or an address. */
  readonly address: string;
  /** Ends it at once, as a crash would. */
  crash(): Promise<void>;
  start(): Promise<void>;
}

const quiet = (): void => undefined;

/** A PostgreSQL of one test. */
export async function ownPostgres(): Promise<OwnServer> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'millrace-own-postgres-')));
  const start = async (): Promise<string> => {
    const need = { postgres: true, temporal: false };
    const settings = { fsync: 'off', shared_buffers: '64MB' };
    const { postgres } = await startLocal({
      folder,
      project: 'own',
      need,
      log: quiet,
      environment: testEnvironment(),
      postgresSettings: settings,
    });
    return postgres?.url ?? '';
  };
  return {
    address: await start(),
    async crash() {
      const state = await readState(folder, 'postgres');
      if (state?.process !== undefined) await endProcess(state.process, ['SIGQUIT', 'SIGKILL'], 10);
    },
    start: async () => void (await start()),
    async [Symbol.asyncDispose]() {
      await removeLocal(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: '2s' });
  try {
    await connection.workflowService.describeNamespace({ namespace: 'default' });
    return true;
  } finally {
    await connection.close();
  }
}

/** A Temporal dev server of one test, without search attributes, with dynamic configuration as `name=value`. */
export async function ownTemporal(configuration: readonly string[] = []): Promise<OwnServer> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'millrace-own-temporal-')));
  const program = await temporalProgram(testEnvironment(), await cacheFolder(folder, testEnvironment()), quiet);
  // Of another file's, which begins at the same time, it must not be the port that both find free.
  const port = await choosePort(randomInt(17_000, 31_000), 'Temporal', quiet);
  const address = `127.0.0.1:${port}`;
  const words = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(port), '--log-level', 'error'];
  const pragmas = ['journal_mode=wal', 'synchronous=1'].flatMap((pragma) => ['--sqlite-pragma', pragma]);
  const dynamic = configuration.flatMap((value) => ['--dynamic-config-value', value]);
  const args = [...words, '--db-filename', join(folder, 'temporal.db'), ...pragmas, ...dynamic];
  let server: ProcessReference;
  const start = async (): Promise<void> => {
    const environment = { PATH: '/usr/bin:/bin', HOME: folder };
    server = await startInBackground({ program, args, log: join(folder, 'temporal.log'), environment });
    await until(() => answers(address), 'Temporal');
  };
  await start();
  return {
    address,
    crash: () => endProcess(server, ['SIGKILL'], 10),
    start,
    async [Symbol.asyncDispose]() {
      await endProcess(server, ['SIGKILL'], 10);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
