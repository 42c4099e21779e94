import assert from 'node:assert/strict';
import type { FastifyRequest } from 'fastify';
import { connectorOf } from '../../connectors/registry.ts';
import type { Part } from '../../gateway/context.ts';
import { isLocal } from '../../gateway/operation/local.ts';
import { createMetrics } from '../../gateway/operation/metrics.ts';
import { watchPressure } from '../../gateway/operation/pressure.ts';
import { MillraceError } from '../../schema/errors.ts';
import { probeOf } from '../../gateway/operation/probe.ts';
import { openTestGateway, until } from '../gateway-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { openWay } from './way-kit.ts';

const tables = 'CREATE TABLE marts.t (id int PRIMARY KEY); INSERT INTO marts.t VALUES (1)';
const apis = {
  t: { dataset: 'marts.t', key: 'id', roles: { reader: { fields: 'all' } }, cache: { ttl: '1 minute' } },
};

describe('what the gateway says of itself', () => {
  it('is ready while its warehouse can be reached', async () => {
    let isAway = false;
    await using gateway = await openTestGateway({
      tables,
      apis,
      options: {
        openDatasets: async ({ type, name, settings }, options) => {
          const datasets = await connectorOf(type, name).openDatasets(settings, name, options);
          return {
            check: async () => await datasets.check(),
            describe: async (source) => {
              if (isAway) throw new MillraceError('unavailable', 'no route to host');
              return await datasets.describe(source);
            },
            countKey: async (...given) => await datasets.countKey(...given),
            read: async (...given) => await datasets.read(...given),
            export: (...given) => datasets.export(...given),
            waiting: 0,
            [Symbol.asyncDispose]: async () => await datasets[Symbol.asyncDispose](),
          };
        },
      },
    });
    const token = await gateway.token({ role: 'reader' });
    assert.equal((await gateway.get('/readyz')).status, 200);
    isAway = true;
    await gateway.announce('marts.t');
    await until(async () => (await gateway.get('/readyz')).status === 503);
    assert.equal((await gateway.get('/healthz')).status, 200);
    // Nobody forgets what is published because of it.
    assert.equal((await gateway.get('/api/t/1', { token })).status, 200);
    isAway = false;
    await until(async () => (await gateway.get('/readyz')).status === 200);
  });

  it('is not ready while its warehouse hangs or is away, and is again when it is back', async () => {
    const database = await createDatabase('gateway_probe');
    const way = await openWay(database);
    try {
      await using gateway = await openTestGateway({ tables, apis, database: way.url });
      const isReady = async (): Promise<boolean> => (await gateway.get('/readyz')).status === 200;
      assert.equal(await isReady(), true);
      way.pause();
      await until(async () => !(await isReady()));
      assert.deepEqual((await gateway.get('/readyz')).json.reasons, ['a warehouse can not be reached']);
      way.resume();
      await until(isReady);
      way.cut();
      await until(async () => !(await isReady()));
      way.mend();
      await until(isReady);
    } finally {
      await way.close();
      await dropDatabase(database);
    }
  });

  it('asks a warehouse once for all that ask whether it is there, and not again while it hangs', async () => {
    let asked = 0;
    let answer: (() => void) | undefined;
    const probe = probeOf(
      [
        async () => {
          asked += 1;
          await new Promise<void>((resolve) => (answer = resolve));
        },
      ],
      { fresh: 5, patience: 20 },
    );
    assert.deepEqual(await Promise.all([probe(), probe(), probe()]), [false, false, false]);
    await until(async () => !(await probe()));
    assert.equal(asked, 1);
    answer?.();
    await until(async () => {
      await probe();
      return asked === 2;
    });
  });

  it('counts requests by route, status and API, and where answers came from', async () => {
    await using gateway = await openTestGateway({ tables, apis });
    const token = await gateway.token({ role: 'reader' });
    for (const path of ['/api/t', '/api/t', '/api/t/1', '/api/swordfish', '/swordfish/1']) await gateway.get(path, { token });
    const { text, headers } = await gateway.get('/metrics');
    assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(text, /^millrace_gateway_requests_total\{method="GET",route="\/api\/:name",status="200",api="t"\} 2$/m);
    assert.match(text, /^millrace_gateway_requests_total\{method="GET",route="\/api\/:name",status="404"\} 1$/m);
    assert.match(text, /^millrace_gateway_requests_total\{method="GET",route="none",status="404"\} 1$/m);
    assert.match(text, /^millrace_gateway_answers_total\{from="hit"\} 1$/m);
    assert.match(text, /^millrace_gateway_request_seconds_bucket\{route="\/api\/:name",le="\+Inf"\} 3$/m);
    assert.match(text, /^millrace_gateway_pool_waiting\{warehouse="warehouse"\} 0$/m);
    assert.doesNotMatch(text, /swordfish|mr_/);
  });

  it('gives its numbers to callers on this machine, and to others for a token of the scope metrics', async () => {
    await using gateway = await openTestGateway({ tables, apis, gateway: { behind_proxy: true } });
    const [may, mayNot] = [await gateway.token({ scopes: ['metrics'] }), await gateway.token({ role: 'reader' })];
    const forwarded = { 'x-forwarded-for': '203.0.113.9' };
    assert.equal((await gateway.get('/metrics')).status, 200);
    assert.equal((await gateway.get('/metrics', { headers: forwarded })).status, 401);
    assert.equal((await gateway.get('/metrics', { headers: forwarded, token: mayNot })).status, 403);
    assert.equal((await gateway.get('/metrics', { headers: forwarded, token: may })).status, 200);
  });

  it('tells this machine from others', () => {
    const from = (remoteAddress: string | undefined, headers = {}): boolean =>
      isLocal({ socket: { remoteAddress }, headers } as unknown as FastifyRequest);
    assert.deepEqual(
      ['127.0.0.1', '::1', '::ffff:127.0.0.1'].map((address) => from(address)),
      [true, true, true],
    );
    assert.deepEqual(
      ['10.0.0.1', '127.0.0.1.evil', '::ffff:10.0.0.1', undefined].map((address) => from(address)),
      [false, false, false, false],
    );
    assert.equal(from('127.0.0.1', { forwarded: 'for=203.0.113.9' }), false);
  });

  const block = (milliseconds: number): void => {
    for (const end = performance.now() + milliseconds; performance.now() < end;);
  };

  it('knows when this process has more to do than it can, and when that is over', async () => {
    using pressure = watchPressure(250);
    const busy = setInterval(() => block(400), 1);
    await until(() => pressure.isHigh);
    clearInterval(busy);
    await until(() => !pressure.isHigh);
  });

  it('does not take one pause for that', async () => {
    using pressure = watchPressure(250);
    block(1_000);
    for (const end = performance.now() + 600; performance.now() < end;) {
      await new Promise((resolve) => void setTimeout(resolve, 10));
      assert.equal(pressure.isHigh, false);
    }
  });

  it('lets parts count, and keeps the number of series within bounds', async () => {
    const counting: Part = (_server, context) => context.count('events_total', { connection: 'clicks' }, 3);
    await using gateway = await openTestGateway({ tables, apis, parts: [counting] });
    assert.match((await gateway.get('/metrics')).text, /^millrace_gateway_events_total\{connection="clicks"\} 3$/m);
    const metrics = createMetrics();
    for (let n = 0; n < 10_000; n += 1) metrics.count('x_total', { n: `${n}` });
    assert.ok(metrics.text().split('\n').length < 3000);
  });
});
