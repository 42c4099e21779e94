import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { openHealth, type Health } from '../../worker/health.ts';

const well = async (): Promise<void> => undefined;
const get = async (health: Health, path: string) => await fetch(`http://127.0.0.1:${health.port}${path}`);

describe('the health endpoint', () => {
  it('answers 200 while the worker runs and Temporal answers', async () => {
    await using health = await openHealth({ port: 0, state: () => 'RUNNING', ping: well });
    const response = await get(health, '/healthz');
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status: 'ok', worker: 'RUNNING', temporal: 'reachable' });
  });

  it('answers 503 while the worker drains, and says so', async () => {
    await using health = await openHealth({ port: 0, state: () => 'DRAINING', ping: well });
    const response = await get(health, '/healthz');
    assert.equal(response.status, 503);
    assert.match(await response.text(), /the worker is DRAINING/);
  });

  it("answers 503 when Temporal refuses, and when it doesn't answer at all", async () => {
    await using refused = await openHealth({ port: 0, state: () => 'RUNNING', ping: () => Promise.reject(new Error('down')) });
    assert.equal((await get(refused, '/healthz')).status, 503);
    await using hanging = await openHealth({ port: 0, state: () => 'RUNNING', ping: () => new Promise(() => undefined) });
    const response = await get(hanging, '/healthz');
    assert.equal(response.status, 503);
    assert.match(await response.text(), /unreachable/);
  });

  it('hands on the metrics, and says when they are not there', async () => {
    const exporter = createServer((_request, response) => response.end('millrace_runs_total 1\n')).listen(0, '127.0.0.1');
    await once(exporter, 'listening');
    await using health = await openHealth({
      port: 0,
      state: () => 'RUNNING',
      ping: well,
      metricsPort: (exporter.address() as AddressInfo).port,
    });
    assert.match(await (await get(health, '/metrics')).text(), /millrace_runs_total 1/);
    exporter.close();
    exporter.closeAllConnections();
    await once(exporter, 'close');
    assert.equal((await get(health, '/metrics')).status, 503);
  });

  it('listens on the loopback interface only, and knows no other pages', async () => {
    await using health = await openHealth({ port: 0, state: () => 'RUNNING', ping: well });
    assert.equal((await get(health, '/')).status, 404);
    assert.equal((await fetch(`http://127.0.0.1:${health.port}/healthz`, { method: 'POST' })).status, 405);
    const other = createServer().listen({ host: '127.0.0.2', port: health.port });
    await once(other, 'listening');
    other.close();
  });
});
