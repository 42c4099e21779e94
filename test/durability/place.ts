import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { bundle } from '../../worker/bundle.ts';
import { createDatabase, dropDatabase, temporalAddress } from '../servers.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

/** Where trials happen: a source, a warehouse, a Temporal server, and a worker process that stays well. */
export interface Place extends AsyncDisposable {
  readonly source: string;
  readonly warehouse: string;
  readonly temporal: string;
  readonly client: Client;
  readonly folder: string;
  readonly bundle: string;
  /** The worker process that stays well, started when it is first asked for. */
  healthy(): WorkerProcess;
}

export interface PlaceOptions {
  readonly temporal?: string;
  readonly source?: string;
  readonly warehouse?: string;
}

let code: Promise<string> | undefined;

/** Opens a place, with databases of its own where none are given. */
export async function openPlace(options: PlaceOptions = {}): Promise<Place> {
  code ??= bundle().then((made) => made.code);
  const folder = await mkdtemp(join(tmpdir(), 'millrace-durability-'));
  let healthy: WorkerProcess | undefined;
  const temporal = options.temporal ?? (await temporalAddress());
  const [source, warehouse, connection] = await Promise.all([
    options.source ?? createDatabase('source'),
    options.warehouse ?? createDatabase('warehouse'),
    Connection.connect({ address: temporal }),
    writeFile(join(folder, 'bundle.js'), await code),
  ]);
  return {
    source,
    warehouse,
    temporal,
    client: new Client({ connection }),
    folder,
    bundle: join(folder, 'bundle.js'),
    healthy: () => (healthy ??= startWorkerProcess()),
    async [Symbol.asyncDispose]() {
      await healthy?.[Symbol.asyncDispose]();
      await connection.close();
      if (options.source === undefined) await dropDatabase(source);
      if (options.warehouse === undefined) await dropDatabase(warehouse);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const uniqueProject = (): string => `durable-${randomBytes(5).toString('hex')}`;
