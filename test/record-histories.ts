import { writeFile } from 'node:fs/promises';
import { plainSync, runOutcome, startRun } from '../client/runs.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import { openProject, sql } from './pipeline-kit.ts';
import {
  historiesFolder,
  historyToJson,
  recordedDestination,
  recordedModel,
  recordedPipeline,
  recordedSync,
  recordedTables,
  recordedVariable,
} from './recorded.ts';
import { createDatabase, dropDatabase, stopTestServers } from './servers.ts';

/** Values that differ from machine to machine and that no replay looks at. */
const machine: Readonly<Record<string, string>> = { identity: 'worker', stackTrace: '' };

function neutral(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(neutral);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, machine[key] ?? neutral(inner)]));
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
  await record('deliver-refused', `${project.project}/price-list/public.price_list`);
}
await dropDatabase(database);
await stopTestServers();
