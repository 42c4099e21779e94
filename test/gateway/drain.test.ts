import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import type { GatewayContext, Part } from '../../gateway/context.ts';
import { openTestGateway, until, type TestGateway } from '../gateway-kit.ts';

const tables = 'CREATE TABLE marts.t (id int PRIMARY KEY)';
const apis = { t: { dataset: 'marts.t', key: 'id', roles: { reader: { fields: 'all' } } } };
const open = { config: { access: { kind: 'public' } } } as const;

/** A route that answers when it is let, and a stream that ends when the gateway drains. */
class Slow {
  started = 0;
  go: () => void = () => undefined;
  context: GatewayContext | undefined;
  readonly held = new Promise<void>((resolve) => (this.go = resolve));

  readonly part: Part = (server, context) => {
    this.context = context;
    server.get('/slow', open, async () => {
      this.started += 1;
      await this.held;
      return { done: true };
    });
    server.get('/stream', open, (_request, reply) => {
      void reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.raw.write(': hello\n\n');
      context.draining.addEventListener('abort', () => reply.raw.end('event: end\ndata: {}\n\n'));
    });
  };
}

const openSlow = async (slow: Slow, longest = 5000, notice = 0): Promise<TestGateway> =>
  await openTestGateway({ tables, apis, parts: [slow.part], options: { drain: { notice, longest } } });

async function readAll(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response) text += String(part);
  return text;
}

async function send(
  address: string,
  path: string,
  agent: Agent,
): Promise<{ readonly response: IncomingMessage; readonly text: () => Promise<string> }> {
  const sent = request(`${address}${path}`, { agent }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { response, text: async () => await readAll(response) };
}

describe('a gateway that is closed', () => {
  it('says so first, while it still takes requests', async () => {
    await using gateway = await openSlow(new Slow(), 5000, 1500);
    assert.deepEqual((await gateway.get('/readyz')).json, { status: 'ready', reasons: [] });
    const closed = gateway.close();
    const { status, json } = await gateway.get('/readyz');
    assert.deepEqual([status, json], [503, { status: 'not ready', reasons: ['draining'] }]);
    const last = await gateway.get('/healthz');
    // Nobody sends the next request on a connection that is about to go.
    assert.deepEqual([last.status, last.headers.get('connection')], [200, 'close']);
    await closed;
    await assert.rejects(gateway.get('/healthz'));
  });

  it('lets what is under way end, tells streams to end, and closes connections that are kept open', async () => {
    const slow = new Slow();
    await using gateway = await openSlow(slow, 50_000);
    const agent = new Agent({ keepAlive: true });
    const idle = await send(gateway.address, '/healthz', agent);
    await idle.text();
    const answer = send(gateway.address, '/slow', agent);
    const stream = await send(gateway.address, '/stream', agent);
    await until(() => slow.started === 1);
    const closed = gateway.close();
    assert.match(await stream.text(), /event: end/);
    slow.go();
    const { response, text } = await answer;
    assert.equal(response.headers.connection, 'close');
    assert.equal(await text(), '{"done":true}');
    const began = performance.now();
    await closed;
    assert.ok(performance.now() - began < 20_000, 'not cut off');
    agent.destroy();
  });

  it('cuts off what takes too long', async () => {
    const slow = new Slow();
    await using gateway = await openSlow(slow, 200);
    const cut = assert.rejects(gateway.get('/slow'));
    await until(() => slow.started === 1);
    await gateway.close();
    await cut;
    slow.go();
  });

  it('is closed once, however often it is asked', async () => {
    await using gateway = await openSlow(new Slow());
    await Promise.all([gateway.close(), gateway.close()]);
    await gateway.close();
    assert.deepEqual(
      gateway.log.filter(({ level }) => level === 'error'),
      [],
    );
  });
});
