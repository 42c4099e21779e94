import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { toDefinitions, type Definitions } from '../client/project/definitions.ts';
import { loadProject } from '../client/project/load.ts';
import { removeLocal, startLocal } from '../worker/local/index.ts';
import { execute } from './data.ts';
import { projectFile } from './project.ts';

/** Both servers for a measurement, fsync on, with settings of a small production server. */
const postgresSettings = { shared_buffers: '1GB', max_wal_size: '8GB', checkpoint_timeout: '30min', jit: 'off' };

export interface Bench extends AsyncDisposable {
  readonly folder: string;
  readonly source: string;
  readonly warehouse: string;
  /** Address of the application of syncs. */
  readonly crm: string;
  readonly client: Client;
  readonly definitions: Definitions;
  readonly worker: WorkerProcess;
}

/** A worker in a process of its own, so that its memory can be read. */
export interface WorkerProcess {
  /** Forgets the greatest memory so far. */
  resetPeak(): Promise<void>;
  /** Greatest resident memory since, in MB. */
  peak(): Promise<number>;
}

async function startWorker(folder: string, temporal: string, environment: Record<string, string>): Promise<[WorkerProcess, ChildProcess]> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL('worker.ts', import.meta.url)), folder, temporal], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) if (line === 'ready') break;
  const proc = `/proc/${child.pid}`;
  const worker = {
    resetPeak: () => writeFile(`${proc}/clear_refs`, '5'),
    peak: async () => Number(/VmHWM:\s+(\d+)/.exec(await readFile(`${proc}/status`, 'utf8'))?.[1] ?? 0) / 1024,
  };
  return [worker, child];
}

/** The application of syncs, in a process of its own too. */
async function startCrm(): Promise<[string, ChildProcess]> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL('crm.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) return [line, child];
  throw new Error('the CRM did not start');
}

/** The workflows, and the reference of `startup` beside them. */
async function bundle(): Promise<string> {
  const workflowsPath = fileURLToPath(new URL('workflows.ts', import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  return code;
}

/** Servers, worker and databases for one run of the benchmarks. */
export async function openBench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  await mkdir(join(folder, 'drops'));
  await writeFile(join(folder, 'millrace.yaml'), projectFile);
  const log = (line: string): void => console.error(line);
  const servers = await startLocal({ folder, project: 'bench', log, need: { postgres: true, temporal: true }, postgresSettings });
  const warehouse = servers.postgres?.url ?? '';
  const temporal = servers.temporal?.address ?? '';
  await execute(warehouse, 'CREATE DATABASE source');
  const source = new URL(warehouse);
  source.pathname = '/source';
  await writeFile(join(folder, 'workflow-bundle.js'), await bundle());
  const [crm, crmProcess] = await startCrm();
  const environment = { SOURCE_URL: source.href, WAREHOUSE_URL: warehouse, CRM_URL: crm, CRM_TOKEN: 'token' };
  const [worker, child] = await startWorker(folder, temporal, environment);
  const connection = await Connection.connect({ address: temporal });
  return {
    folder,
    source: source.href,
    warehouse,
    crm,
    client: new Client({ connection }),
    definitions: toDefinitions(await loadProject({ cwd: folder })),
    worker,
    async [Symbol.asyncDispose]() {
      await connection.close();
      child.kill('SIGTERM');
      await once(child, 'exit');
      crmProcess.kill('SIGTERM');
      await removeLocal(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
