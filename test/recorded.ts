import proto from '@temporalio/proto';
import { readdir, readFile } from 'node:fs/promises';
import type { ModelDefinition, PipelineDefinition } from '../schema/definition.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { OutgoingWebhook } from '../schema/webhook.ts';
import { defineSync } from './kits/sync-definition.ts';
import { pipelineOf } from './pipeline-kit.ts';

/** The folder of recorded histories; `node --import tsx test/record-histories.ts` makes them anew, or those that are named. */
export const historiesFolder = new URL('./histories/', import.meta.url);

/** The variable that connections of recorded definitions name for their database. */
export const recordedVariable = 'MILLRACE_RECORDED_URL';

const connection = (name: string): PipelineDefinition['from'] => ({
  name,
  type: 'postgres',
  settings: { type: 'postgres', url: `\${env:${recordedVariable}}` },
});

/** Tables that recorded definitions read. */
export const recordedTables = `CREATE TABLE goods (id bigint PRIMARY KEY, name text, at timestamptz NOT NULL);
  INSERT INTO goods SELECT i, repeat('n', 100), timestamptz '2026-01-01' + i * interval '1 second' FROM generate_series(1, 300) i;
  CREATE TABLE prices (good bigint, price text); INSERT INTO prices SELECT i, CASE i WHEN 7 THEN 'n/a' ELSE i || '.50' END FROM generate_series(1, 20) i;
  ANALYZE goods`;

export function recordedModel(project: string, more: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    format: 1,
    project,
    name: 'names',
    warehouse: connection('warehouse'),
    sql: 'SELECT name, count(*) AS goods FROM landed.goods GROUP BY name',
    build: 'table',
    into: { schema: 'landed', table: 'names' },
    after: ['shop'],
    alerts: [],
    heartbeatTimeout: 60_000,
    ...more,
  };
}

/** A pipeline with a stream of several partitions, one that rejects a row, and a model behind them. */
export function recordedPipeline(project: string): PipelineDefinition {
  const made = pipelineOf(project, 'shop', {
    from: '',
    to: '',
    streams: [
      { stream: 'goods', mode: 'merge', key: ['id'], cursor: 'at' },
      { stream: 'prices', transform: [{ cast: { price: 'numeric(8,2)' } }] },
    ],
    more: { partitionBytes: 12_000, models: [recordedModel(project)] },
  });
  return { ...made, from: connection('source'), to: connection('warehouse') };
}

/** The variable that the recorded pipeline of events names for its schema. */
export const recordedSchemaVariable = 'MILLRACE_RECORDED_SCHEMA';

/** A pipeline of events. */
export function recordedClicks(project: string): PipelineDefinition {
  const made = pipelineOf(project, 'clicks', { from: '', to: '', streams: [{ stream: 'clicks', mode: 'append' }] });
  const settings = { type: 'ingest', schema: `\${env:${recordedSchemaVariable}}`, key: 'event_id' };
  return { ...made, from: { name: 'clicks', type: 'ingest', settings }, to: connection('warehouse') };
}

/** Where recorded syncs send to: a table of the same database. */
export const recordedDestination = 'CREATE TABLE price_list (good bigint PRIMARY KEY, price numeric CHECK (price <> 13))';

/** A sync of a model to a table that refuses a row. */
export function recordedSync(project: string, more: Partial<SyncDefinition> = {}): SyncDefinition {
  return defineSync({
    project,
    name: 'price-list',
    model: { name: 'model', sql: 'SELECT i::bigint AS good, i::numeric AS price FROM generate_series(1, 20) i', key: ['good'], after: [] },
    warehouse: connection('warehouse'),
    state: connection('warehouse'),
    to: connection('application'),
    object: 'public.price_list',
    match: [{ column: 'good', field: 'good' }],
    map: [{ column: 'price', field: 'price', whenNull: 'clear' }],
    ...more,
  });
}

/** The variable that the recorded webhook names for its address. */
export const recordedHookVariable = 'MILLRACE_RECORDED_HOOK';

/** A webhook whose address is in trouble at times. */
export function recordedWebhook(project: string): OutgoingWebhook {
  const to = { type: 'webhook', url: `\${env:${recordedHookVariable}}`, secret: `\${env:${recordedHookVariable}}`, allow_private: true };
  return {
    project,
    name: 'partner',
    to: { name: 'hook', type: 'webhook', settings: to },
    datasets: ['landed.*'],
    books: connection('warehouse'),
    patience: { first: 100, longest: 200, attempts: 3, refusals: 2 },
    heartbeatTimeout: 30_000,
  };
}

const { History } = proto.temporal.api.history.v1;
type History = ReturnType<typeof History.fromObject>;

/** A history as JSON: 64-bit numbers, enums and bytes as text. */
export const historyToJson = (history: Parameters<typeof History.fromObject>[0]): unknown =>
  History.toObject(History.fromObject(history), { longs: String, enums: String, bytes: String });

/** What `historyToJson` was given. */
export const historyOfJson = (json: string): History => History.fromObject(JSON.parse(json) as Record<string, unknown>);

export interface RecordedHistory {
  readonly name: string;
  readonly json: string;
}

/** The histories that were recorded. */
export async function recordedHistories(): Promise<readonly RecordedHistory[]> {
  const names = (await readdir(historiesFolder)).filter((name) => name.endsWith('.json')).toSorted();
  return await Promise.all(names.map(async (name) => ({ name, json: await readFile(new URL(name, historiesFolder), 'utf8') })));
}
