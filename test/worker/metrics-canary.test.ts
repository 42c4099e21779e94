import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { toDefinitions } from '../../client/project/definitions.ts';
import { loadProject } from '../../client/project/load.ts';
import { runOutcome, startRun, type RunOutcome } from '../../client/runs.ts';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase, postgresUrl, temporalAddress, testEnvironment } from '../servers.ts';
import { until } from '../workflows/until.ts';

const unique = `${process.pid}${Date.now().toString(36)}`;
const project = `nights-${unique}`;
const role = `nights_${unique}`;
const password = `CANARY-secret-"${unique}`;
const cell = `CANARY-cell-${unique}`;
const command = fileURLToPath(new URL('../../client/cli.ts', import.meta.url));

const projectFile = `
project: ${project}
connections:
  shop: { type: postgres, url: "\${env:CANARY_SHOP_URL}" }
  warehouse: { type: postgres, url: "\${env:CANARY_WAREHOUSE_URL}" }
  gone: { type: postgres, url: "\${env:CANARY_GONE_URL}" }
  ops: { type: webhook, url: "\${env:CANARY_HOOK_URL}", allow_private: true }
defaults:
  alerts: { to: ops, rejected: "> 10%" }
pipelines:
  good: { from: shop, to: warehouse.good, streams: { good: { mode: merge, key: id } } }
  dirty:
    from: shop
    to: warehouse.dirty
    streams: { dirty: { mode: replace, max_rejected: 90%, transform: [{ cast: { amount: "numeric(10,2)" } }, { expect: { name: { in: [a, b] } } }] } }
  strict:
    from: shop
    to: warehouse.strict
    streams: { dirty: { mode: replace, on_failure: fail, transform: [{ cast: { amount: integer } }] } }
  doubled: { from: shop, to: warehouse.doubled, streams: { doubled: { mode: merge, key: name } } }
  waiting: { from: gone, to: warehouse.waiting, streams: { good: { mode: replace } } }
`;

describe('a worker process at night', function () {
  this.timeout(300_000);
  let folder: string;
  let database: string;
  let worker: ChildProcess;
  let hook: Server;
  let client: Client;
  let connection: Connection;
  let log = '';
  const alerts: string[] = [];
  const outcomes = new Map<string, RunOutcome>();

  const ports = async (): Promise<{ health: number; metrics: number }> =>
    JSON.parse(await readFile(join(folder, '.millrace', 'worker.json'), 'utf8')) as { health: number; metrics: number };
  const get = async (path: string): Promise<string> => await (await fetch(`http://127.0.0.1:${(await ports()).health}${path}`)).text();
  const metric = async (name: string, ...labels: string[]): Promise<number> => {
    const lines = (await get('/metrics')).split('\n').filter((line) => line.startsWith(`${name}{`));
    const line = lines.find((candidate) => labels.every((label) => candidate.includes(label)));
    return Number(line?.split(' ').at(-1));
  };
  const start = async (name: string) => {
    const definitions = toDefinitions(await loadProject({ cwd: folder }));
    const definition = definitions.pipelines.get(name)?.definition;
    assert.ok(definition);
    const runnable = { kind: 'pipeline', definition } as const;
    const started = await startRun(client, runnable, { fullRefresh: false }, 'test');
    return { started, outcome: runOutcome(client, runnable, started) };
  };

  before(async () => {
    hook = createServer((request, response) => {
      let text = request.method ?? '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        alerts.push(text);
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(hook, 'listening');
    database = await createDatabase('nights');
    await sql(await postgresUrl(), `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${password}'`);
    await sql(
      database,
      `CREATE TABLE good (id int PRIMARY KEY, name text); INSERT INTO good VALUES (1, '${cell}'), (2, 'b');
       CREATE TABLE dirty (id int PRIMARY KEY, name text, amount text); INSERT INTO dirty VALUES (1, 'a', '${cell}'), (2, '${cell}', '1'), (3, 'a', '2');
       CREATE TABLE doubled (id int PRIMARY KEY, name text, amount text); INSERT INTO doubled VALUES (1, '${cell}', 'x'), (2, '${cell}', 'y')`,
    );
    const url = new URL(database);
    url.username = role;
    url.password = encodeURIComponent(password);
    const gone = new URL(url);
    gone.port = '1';
    folder = await mkdtemp(join(tmpdir(), 'millrace-nights-'));
    await writeFile(join(folder, 'millrace.yaml'), projectFile);
    const address = await temporalAddress();
    connection = await Connection.connect({ address });
    client = new Client({ connection });
    worker = spawn(process.execPath, ['--import', 'tsx', command, 'worker', '--file', join(folder, 'millrace.yaml')], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      env: {
        ...testEnvironment(),
        TEMPORAL_ADDRESS: address,
        MILLRACE_LOG_LEVEL: 'debug',
        CANARY_SHOP_URL: url.href,
        CANARY_WAREHOUSE_URL: url.href,
        CANARY_GONE_URL: gone.href,
        CANARY_HOOK_URL: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/${encodeURIComponent(password)}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    worker.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    worker.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await until(async () => (await get('/healthz')).includes('"ok"'), `healthy worker; it said ${log}`);
    for (const name of ['good', 'dirty', 'strict', 'doubled']) outcomes.set(name, await (await start(name)).outcome);
    const waiting = await start('waiting');
    await until(() => log.includes('is tried again'), 'attempt that failed');
    await client.workflow.getHandle(waiting.started.workflowId).cancel();
    outcomes.set('waiting', await waiting.outcome);
    await until(() => alerts.length >= 2, 'alerts');
  });

  after(async () => {
    worker.kill('SIGKILL');
    hook.close();
    await connection.close();
    await dropDatabase(database);
    await sql(await postgresUrl(), `DROP ROLE ${role}`);
    await rm(folder, { recursive: true, force: true });
  });

  it('ran what it should, refused what it should', () => {
    const ends = [...outcomes].map(([name, outcome]) => `${name} ${outcome.ok ? 'ok' : outcome.code}`);
    assert.deepEqual(ends.slice(0, 3), ['good ok', 'dirty ok', 'strict rejected'], JSON.stringify([...outcomes.values()]));
    assert.ok(outcomes.get('waiting')?.ok === false);
  });

  it('counts runs, rows, bytes and rejections, beside the metrics of the SDK', async () => {
    await until(async () => (await metric('millrace_runs_total', 'pipeline="good"', 'status="succeeded"')) === 1, 'run counted');
    await until(async () => (await metric('millrace_runs_total', 'pipeline="strict"', 'status="failed"')) === 1, 'failure counted');
    await until(async () => (await metric('millrace_runs_total', 'pipeline="waiting"', 'status="cancelled"')) === 1, 'end counted');
    assert.equal(await metric('millrace_rows_total', 'pipeline="good"', 'stream="good"', 'outcome="loaded"'), 2);
    assert.equal(await metric('millrace_rows_total', 'pipeline="dirty"', 'outcome="rejected"'), 2);
    assert.equal(await metric('millrace_rejections_total', 'pipeline="dirty"', 'stream="dirty"'), 2);
    assert.ok((await metric('millrace_bytes_total', 'pipeline="good"')) > 0);
    assert.ok((await metric('millrace_run_seconds_sum', 'pipeline="good"')) > 0);
    assert.match(await get('/metrics'), /temporal_worker_task_slots_available/);
    const direct = await fetch(`http://127.0.0.1:${(await ports()).metrics}/metrics`);
    assert.match(await direct.text(), /millrace_runs_total/);
  });

  it('tells the lag of each stream', async () => {
    await until(async () => (await metric('millrace_stream_lag_seconds', 'pipeline="good"', 'stream="good"')) > 0, 'lag');
    assert.ok(Number.isNaN(await metric('millrace_stream_lag_seconds', 'pipeline="strict"')), 'a stream that never succeeded has no lag');
  });

  it('tells of rejections and failures by webhook', async () => {
    await until(() => alerts.some((text) => text.includes('"rejected"') && text.includes('2 of 3 rows')), 'alert of rejections');
    await until(() => alerts.some((text) => text.includes('"failed"') && text.includes('"strict"')), 'alert of a failure');
  });

  it('logs JSON lines and nothing else', () => {
    // The last line may be on its way.
    const lines = log.slice(0, log.lastIndexOf('\n')).trim().split('\n');
    for (const line of lines) assert.doesNotThrow(() => JSON.parse(line) as unknown, line);
    const loaded = lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ message }) => message === 'stream loaded');
    for (const field of ['project', 'pipeline', 'stream', 'load', 'workflow', 'run']) assert.equal(typeof loaded?.[field], 'string', field);
  });

  it('shows no secret and no value of a row in logs, metrics, alerts and histories', async () => {
    const places = new Map([
      ['log', log],
      ['metrics', await get('/metrics')],
      ['alerts', alerts.join('\n')],
    ]);
    for await (const { workflowId, runId } of client.workflow.list({ query: `WorkflowId STARTS_WITH '${project}/'` })) {
      const handle = client.workflow.getHandle(workflowId, runId);
      const history = await handle.fetchHistory();
      places.set(`history of ${workflowId}`, text(history));
      places.set(`description of ${workflowId}`, text((await handle.describe()).raw));
    }
    assert.ok(places.size > 20, `${places.size} places`);
    for (const [place, found] of places) {
      for (const canary of [password, encodeURIComponent(password), JSON.stringify(password).slice(1, -1), cell]) {
        const at = found.indexOf(canary);
        assert.equal(at, -1, `${place}: …${found.slice(Math.max(0, at - 300), at + 100)}`);
      }
    }
  });

  it('drains on SIGTERM and ends well', async () => {
    worker.kill('SIGTERM');
    const [code] = (await once(worker, 'exit')) as [number | null];
    assert.equal(code, 0, log.slice(-1000));
  });
});

/** JSON with payloads decoded. */
function text(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) => {
    if (field instanceof Uint8Array) return Buffer.from(field).toString('utf8');
    return typeof field === 'bigint' ? `${field}` : field;
  });
}
