import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startReplay } from '../client/replay-webhook.ts';
import { plainSync, runOutcome, startRun } from '../client/runs.ts';
import { wakeWebhook } from '../client/wake-webhook.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import { ingestWaker, ingestWorkflowId } from '../client/wake-ingest.ts';
import { eventLine } from '../connectors/ingest/event-line.ts';
import { makeIngestFolder, sealSegment } from '../connectors/ingest/segments.ts';
import type { IngestReport } from '../schema/ingest.ts';
import { ingestFolder } from '../staging/ingest-folder.ts';
import { clickSchema } from './kits/ingest.ts';
import { openProject, sql, type TestProject } from './pipeline-kit.ts';
import {
  historiesFolder,
  historyToJson,
  recordedClicks,
  recordedDestination,
  recordedHookVariable,
  recordedModel,
  recordedPipeline,
  recordedSchemaVariable,
  recordedSync,
  recordedTables,
  recordedVariable,
  recordedWebhook,
} from './recorded.ts';
import { createDatabase, dropDatabase, stopTestServers } from './servers.ts';
import { until } from './workflows/until.ts';
import { datasetOf, openReceiver } from './workflows/webhook-kit.ts';

/** Values that differ from machine to machine and that no replay looks at. */
const machine: Readonly<Record<string, string>> = { identity: 'worker', stackTrace: '' };

function neutral(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(neutral);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, machine[key] ?? neutral(inner)]));
}

/** Two loads of events, with a wait between them, as the gateway would have them. */
async function loadEvents({ client, folder, project }: TestProject): Promise<void> {
  const segments = ingestFolder(join(folder, 'staging'), project, 'clicks');
  const definition = recordedClicks(project);
  process.env[recordedSchemaVariable] = join(folder, 'event.json');
  await writeFile(join(folder, 'event.json'), JSON.stringify(clickSchema));
  await makeIngestFolder(segments);
  const wake = ingestWaker(client, [{ definition, hash: 'recorded' }]);
  const handle = client.workflow.getHandle(ingestWorkflowId(definition));
  for (const no of [1, 2]) {
    const open = join(segments, 'open', 'recorded');
    await writeFile(open, `${eventLine({ id: `e${no}`, receivedAt: '2026-01-01T00:00:00.000Z', text: `{"event_id":"e${no}"}` })}\n`);
    await sealSegment(segments, open);
    await wake('clicks', { segments: 1, bytes: 100 });
    await until(async () => {
      const { status, loads } = await handle.query<IngestReport>('ingestProgress');
      return status === 'idle' && loads === no;
    }, `load ${no}`);
  }
}

const database = await createDatabase('recorded');
process.env[recordedVariable] = database;
await sql(database, recordedTables);
{
  await using project = await openProject('recorded');
  const wanted = process.argv.slice(2);
  const record = async (name: string, workflowId: string): Promise<void> => {
    if (wanted.length > 0 && !wanted.includes(name)) return;
    const history = await project.client.workflow.getHandle(workflowId).fetchHistory();
    await writeFile(new URL(`${name}.json`, historiesFolder), `${JSON.stringify(neutral(historyToJson(history)), undefined, 1)}\n`);
    console.log(`${name}: ${history.events?.length} events`);
  };
  const pipeline = recordedPipeline(project.project);
  const outcome = await project.run(pipeline);
  if (!outcome.ok) throw new Error(outcome.message);
  await record('pipeline', `${project.project}/shop`);
  await record('stream-of-partitions', `${project.project}/shop/goods`);
  await record('stream-with-rejections', `${project.project}/shop/prices`);
  await record('model', `${project.project}/names`);
  await sql(database, 'ALTER TABLE prices ADD COLUMN more text');
  const streams = pipeline.streams.map((stream) => ({ ...stream, contract: { columns: 'freeze', types: 'freeze' } as const }));
  await project.run({ ...pipeline, streams, models: [] });
  await record('pipeline-failed', `${project.project}/shop`);
  await record('stream-refused', `${project.project}/shop/prices`);
  await project.run(recordedModel(project.project, { sql: 'SELECT nothing' }));
  await record('model-failed', `${project.project}/names`);
  const runSync = async (definition: SyncDefinition): Promise<void> => {
    const runnable = { kind: 'sync', definition } as const;
    await runOutcome(project.client, runnable, await startRun(project.client, runnable, plainSync, 'test'));
  };
  await sql(database, recordedDestination);
  const sync = recordedSync(project.project);
  await runSync(sync);
  await record('sync', `${project.project}/price-list`);
  await record('deliver', `${project.project}/price-list/public.price_list`);
  await runSync({ ...sync, maxRejected: { rows: 0 } });
  await record('sync-failed', `${project.project}/price-list`);
  await loadEvents(project);
  await record('ingest', `${project.project}/clicks/clicks`);
  await project.client.workflow.getHandle(`${project.project}/clicks/clicks`).terminate();
  await record('deliver-refused', `${project.project}/price-list/public.price_list`);
  await using receiver = await openReceiver();
  process.env[recordedHookVariable] = receiver.url;
  for (const dataset of ['landed.a', 'landed.b', 'landed.c'])
    await sql(database, `SELECT _millrace.announce('recorded', $1, 'shop', NULL, 1)`, [dataset]);
  receiver.answer = (received, no) => ({ status: no === 0 || datasetOf(received) === 'landed.b' ? 503 : 200 });
  const webhook = recordedWebhook(project.project);
  await wakeWebhook(project.client, webhook, '0');
  await project.client.workflow.getHandle(`${project.project}/webhooks/partner`).result();
  await record('webhook', `${project.project}/webhooks/partner`);
  receiver.answer = (_, no) => ({ status: no % 2 === 0 ? 503 : 200 });
  const [letter] = await sql(database, 'SELECT change_id FROM _millrace.dead_letters');
  await (await startReplay(project.client, webhook, [letter?.['change_id'] ?? ''])).result();
  await record('webhook-replay', `${project.project}/webhooks/partner/replay`);
}
await dropDatabase(database);
await stopTestServers();
