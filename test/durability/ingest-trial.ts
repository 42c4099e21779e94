import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ingestWorkflowId } from '../../client/wake-ingest.ts';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { clicksPipeline, clickSchema } from '../kits/ingest.ts';
import { sql } from '../pipeline-kit.ts';
import { until } from '../workflows/until.ts';
import type { Fault } from './fault.ts';
import type { IngestGatewayPlace } from './ingest-gateway.ts';
import type { OwnServer } from './own-servers.ts';
import { uniqueProject, type Place } from './place.ts';
import { startWorkerProcess } from './worker-process.ts';

export interface IngestTrial {
  /** How often a gateway is killed. */
  readonly kills: number;
  /** Where the worker is killed too, in the first of its loads that comes there. */
  readonly workerAt?: Fault['point'];
  /** Events go on until so many runs of the workflow have continued each other. */
  readonly runs?: number;
  /** A server that crashes in the midst of events, and is back when more were accepted meanwhile. */
  readonly lost?: OwnServer;
}

interface Gateway {
  readonly child: ChildProcess;
  readonly address: string;
}

async function startGateway(place: IngestGatewayPlace): Promise<Gateway> {
  const file = fileURLToPath(new URL('ingest-gateway.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(place)], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) return { child, address: `http://127.0.0.1:${line}/ingest/clicks` };
  throw new Error('the gateway did not start');
}

async function kill({ child }: Gateway): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** Posts events until told to end, several at a time, each request anew until it is answered. */
function startPosting(address: () => string) {
  const acknowledged = new Set<string>();
  let ending = false;
  let no = 0;
  const post = async (): Promise<void> => {
    while (!ending) {
      const events = Array.from({ length: 1 + (no % 5) }, () => ({ event_id: `event ${(no += 1)}`, user: no }));
      const body = JSON.stringify(events);
      for (;;) {
        const status = await fetch(address(), { method: 'POST', body, headers: { 'content-type': 'application/json' } }).then(
          async (response) => {
            await response.text();
            return response.status;
          },
          () => 0,
        );
        if (status === 202) break;
        assert.ok(status === 0 || status === 503, String(status));
        if (ending) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      for (const event of events) acknowledged.add(event.event_id);
    }
  };
  const posting = Array.from({ length: 8 }, post);
  return {
    acknowledged,
    async end() {
      ending = true;
      await Promise.all(posting);
    },
  };
}

async function startWorker(place: Place, project: string, at: Fault['point'] | undefined) {
  const worker = startWorkerProcess();
  await worker.ask({ open: project, staging: join(place.folder, 'staging'), temporal: place.temporal, bundle: place.bundle });
  if (at !== undefined) await worker.ask({ arm: { point: at, how: 'kill', arrival: 1, marker: join(place.folder, `${project}.lost`) } });
  return worker;
}

async function definitionOf(place: Place, project: string): Promise<PipelineDefinition> {
  const schema = join(place.folder, 'event.json');
  await writeFile(schema, JSON.stringify(clickSchema));
  return clicksPipeline(project, schema, place.warehouse, { schema: project.replaceAll('-', '_'), heartbeatTimeout: 3000 });
}

/** How many runs of a workflow there were, each going on with what the one before knew. */
async function runsOf({ client }: Place, workflowId: string): Promise<number> {
  let runs = 0;
  for await (const _ of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs += 1;
  return runs;
}

/** Every event that was answered for is in the warehouse, once, whatever was killed. */
export async function ingestTrial(place: Place, { kills, workerAt, runs = 1, lost }: IngestTrial): Promise<void> {
  const project = uniqueProject();
  const definition = await definitionOf(place, project);
  const gatewayPlace = { staging: join(place.folder, 'staging'), temporal: place.temporal, definition };
  let gateway = await startGateway(gatewayPlace);
  let worker = await startWorker(place, project, workerAt);
  const handle = place.client.workflow.getHandle(ingestWorkflowId(definition));
  const count = async (what: string): Promise<number> => {
    const rows = await sql(place.warehouse, `SELECT ${what} AS n FROM "${definition.schema}".clicks`).catch(() => []);
    return Number(rows[0]?.['n'] ?? 0);
  };
  try {
    const posting = startPosting(() => gateway.address);
    for (let no = 0; no < kills; no += 1) {
      const before = posting.acknowledged.size;
      await until(() => posting.acknowledged.size > before + 30 + 37 * no, 'acknowledged events', 120);
      await kill(gateway);
      gateway = await startGateway(gatewayPlace);
    }
    if (workerAt !== undefined) {
      await until(() => worker.gone(), 'end of the worker', 120);
      worker = await startWorker(place, project, undefined);
    }
    if (lost !== undefined) {
      await until(async () => (await count('count(*)')) > 0, 'events in the warehouse', 60);
      await lost.crash();
      const before = posting.acknowledged.size;
      await until(() => posting.acknowledged.size > before + 200, 'events while a server is away', 60);
      await lost.start();
    }
    await until(async () => (await runsOf(place, handle.workflowId)) >= runs, `${runs} runs`, 90);
    await posting.end();
    const { size } = posting.acknowledged;
    await until(async () => (await count('count(DISTINCT event_id)')) >= size, `${size} events`, 90);
    const rows = await sql(place.warehouse, `SELECT event_id FROM "${definition.schema}".clicks`);
    const loaded = new Set(rows.map(({ event_id: id }) => id ?? ''));
    assert.deepEqual(
      [...posting.acknowledged].filter((id) => !loaded.has(id)),
      [],
    );
    assert.equal(rows.length, loaded.size);
  } finally {
    await handle.terminate().catch(() => undefined);
    if (gateway.child.exitCode === null) await kill(gateway);
    await worker[Symbol.asyncDispose]();
  }
}
