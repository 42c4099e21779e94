// Measures events from their acceptance to the table: node --import tsx bench/ingest/run.ts [--rate N] [--batch N] [--seconds N] [--json FILE]
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { startLocal } from '../../worker/local/index.ts';
import { cleanUp, peakOf, root, start } from '../children.ts';
import { withClient } from '../data.ts';
import { generate, type Generated } from './generate.ts';

const projectFile = `
project: ingest-bench
connections:
  warehouse: { type: postgres, url: '\${env:WAREHOUSE_URL}' }
  clicks: { type: ingest, schema: ./event.json, key: event_id }
gateway:
  listen: 127.0.0.1:8098
pipelines:
  clicks: { from: clicks, to: warehouse.events, streams: { clicks: { mode: append } } }
`;
const string = { type: 'string' };
const schema = {
  type: 'object',
  properties: {
    event_id: string,
    no: { type: 'integer' },
    user_id: { type: 'integer' },
    page: string,
    price: string,
    at: { type: 'string', format: 'date-time' },
    details: { type: 'object' },
  },
  required: ['event_id', 'no'],
  additionalProperties: false,
};

const { values } = parseArgs({
  options: { rate: { type: 'string' }, batch: { type: 'string' }, seconds: { type: 'string' }, json: { type: 'string' } },
});
const rate = Number(values.rate ?? 1000);
const batch = Number(values.batch ?? 10);
const seconds = Number(values.seconds ?? 30);
const warmUp = 5;

const cli = (...args: readonly string[]): readonly string[] => ['--import', 'tsx', join(root, 'client/cli.ts'), ...args];

function share(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
}

/** When each event became visible, in milliseconds since 1970, by its number; waits until all are there. */
async function visible(warehouse: string, events: number): Promise<ReadonlyMap<number, number>> {
  for (;;) {
    const found = await withClient(warehouse, async (client) => {
      const { rows } = await client.query<{ n: number; ids: number }>(
        'SELECT count(*)::integer AS n, count(DISTINCT event_id)::integer AS ids FROM events.clicks',
      );
      const { n, ids } = rows[0] ?? { n: 0, ids: 0 };
      if (n !== ids) throw new Error(`${n} rows of ${ids} events`);
      if (n < events) return undefined;
      const all = await client.query<{ no: string; at: number }>(
        'SELECT no, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000)::float8 AS at FROM events.clicks',
      );
      return new Map(all.rows.map(({ no, at }) => [Number(no), at]));
    });
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function measure(url: string, headers: Record<string, string>, warehouse: string) {
  const options = { url, headers, rate, batch };
  await generate({ ...options, seconds: warmUp, from: 0 });
  const generated: Generated = await generate({ ...options, seconds, from: rate * warmUp });
  const times = await visible(warehouse, rate * (warmUp + seconds));
  const latencies = [...generated.acceptedAt].map((at, index) => (times.get(rate * warmUp + index) ?? Infinity) - at);
  const loads = await withClient(
    warehouse,
    async (client) => (await client.query<{ n: number }>('SELECT count(*)::integer AS n FROM _millrace.loads')).rows[0]?.n ?? 0,
  );
  return {
    name: 'ingest',
    events_per_second: rate,
    batch,
    p50_ms: share(latencies, 0.5),
    p95_ms: share(latencies, 0.95),
    p99_ms: share(latencies, 0.99),
    goal: 'p95 ≤ 2000, p99 ≤ 5000',
    accept_p50_ms: share(generated.requests, 0.5),
    accept_p99_ms: share(generated.requests, 0.99),
    loads,
  };
}

const folder = await mkdtemp(join(tmpdir(), 'millrace-ingest-bench-'));
const children: ChildProcess[] = [];
try {
  const file = join(folder, 'millrace.yaml');
  await Promise.all([writeFile(file, projectFile), writeFile(join(folder, 'event.json'), JSON.stringify(schema))]);
  const servers = await startLocal({
    folder,
    project: 'ingest-bench',
    log: (line) => console.error(line),
    need: { postgres: true, temporal: true },
    postgresSettings: { track_commit_timestamp: 'on', shared_buffers: '256MB', jit: 'off' },
  });
  const warehouse = servers.postgres?.url ?? '';
  const environment = { ...process.env, WAREHOUSE_URL: warehouse, TEMPORAL_ADDRESS: servers.temporal?.address ?? '' };
  const create = cli('token', 'create', '--scope', 'ingest', '--name', 'bench', '--file', file);
  const { stdout } = await promisify(execFile)(process.execPath, [...create], { env: environment, cwd: root });
  const worker = spawn(process.execPath, [...cli('worker', '--file', file)], {
    env: environment,
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.push(worker);
  const [gateway, gatewayProcess] = await start(cli('serve', '--file', file), environment, /http:\/\/127\.0\.0\.1:\d+/);
  children.push(gatewayProcess);
  const result = await measure(`${gateway}/ingest/clicks`, { authorization: `Bearer ${stdout.trim()}` }, warehouse);
  const results = [{ ...result, gateway_mb: await peakOf(gatewayProcess), worker_mb: await peakOf(worker) }];
  console.table(results);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
} finally {
  await cleanUp(children, folder);
}
