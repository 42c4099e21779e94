import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { postAlert, postChange, type Message } from '../../connectors/webhook/index.ts';
import { guardedLookup, isPublicAddress } from '../../connectors/http/egress.ts';
import { MillraceError } from '../../schema/errors.ts';

const message: Message = {
  id: 'acme/shop/failed/1',
  kind: 'failed',
  project: 'acme',
  name: 'shop',
  at: '2026-01-02T03:04:05.000Z',
  summary: 'failed: 1 of 2 streams',
  details: ['orders: <unavailable> & more'],
  run: { workflowId: 'acme/shop', runId: 'r1' },
  page: 'http://127.0.0.1:8233/run',
};

describe('webhook', () => {
  let server: Server;
  let url: string;
  let status = 200;
  let headers: Record<string, string> = {};
  const received: { readonly body: unknown }[] = [];
  const options = (template: 'json' | 'slack' = 'json') => ({ name: 'ops', template, signal: new AbortController().signal });
  const settings = (change: object = {}) => ({ type: 'webhook', url, allow_private: true, ...change });
  const code = (expected: string) => (error: unknown) => error instanceof MillraceError && error.code === expected;

  before(async () => {
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        received.push({ body: JSON.parse(text) });
        response.writeHead(status, headers).end('answer');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook-secret-path`;
  });
  beforeEach(() => {
    received.length = 0;
    status = 200;
    headers = {};
  });
  after(() => server.close());

  it('posts an alert as JSON', async () => {
    assert.equal(await postAlert(settings(), message, options()), true);
    assert.deepEqual(received[0]?.body, message);
  });

  it("posts an alert in Slack's shape, its control characters escaped, with a link to the run", async () => {
    await postAlert(settings(), message, options('slack'));
    const [{ body }] = received as [{ body: { text: string } }];
    const { text } = body;
    assert.match(text, /^:red_circle: \*acme\/shop\* failed/);
    assert.match(text, /&lt;unavailable&gt; &amp; more/);
    assert.match(text, /<http:\/\/127\.0\.0\.1:8233\/run\|Open the run>/);
  });

  it('posts nothing when the address is empty', async () => {
    assert.equal(await postAlert(settings({ url: '' }), message, options()), false);
  });

  it('tells passing faults from lasting ones, and never says the address', async () => {
    for (const [answer, expected] of [
      [500, 'unavailable'],
      [503, 'unavailable'],
      [401, 'auth'],
      [404, 'not-found'],
      [400, 'config'],
      [302, 'config'],
    ] as const) {
      status = answer;
      headers = answer === 302 ? { location: url } : {};
      await assert.rejects(postAlert(settings(), message, options()), (error: unknown) => {
        assert.ok(code(expected)(error), `${answer}`);
        assert.doesNotMatch((error as Error).message, /secret-path/);
        return true;
      });
    }
    assert.equal(received.length, 6, 'a redirect was followed');
  });

  it('says what the other side answered, and speaks of a template only where one was used', async () => {
    status = 422;
    const { signal } = options();
    assert.deepEqual(await postChange(settings(), { delivery: '1-a', body: '{"id":"1-a"}' }, { name: 'ops', signal }), {
      kind: 'refused',
      reason: 'the webhook answered HTTP 422; it refuses the change',
      lasting: true,
    });
    await assert.rejects(postAlert(settings(), message, options()), /HTTP 422; it refuses the message: check its template/);
  });

  it('waits as long as the other side asks', async () => {
    status = 429;
    headers = { 'retry-after': '7' };
    await assert.rejects(postAlert(settings(), message, options()), (error: unknown) => (error as MillraceError).retryAfter === 7000);
  });

  it('says that nobody listens without the address', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    await assert.rejects(postAlert(settings({ url: `http://127.0.0.1:${port}/x` }), message, options()), code('unavailable'));
  });

  it('refuses addresses of private networks, however they are written, without a connection', async () => {
    const { port } = server.address() as AddressInfo;
    for (const host of [
      '127.0.0.1',
      '127.1',
      '0x7f.1',
      '2130706433',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '169.254.169.254',
    ]) {
      await assert.rejects(
        postAlert(settings({ url: `http://${host}:${port}/x`, allow_private: false }), message, options()),
        code('config'),
        host,
      );
    }
    assert.equal(received.length, 0);
  });

  it('refuses a name when one of its addresses is private', async () => {
    const addresses = [
      { address: '93.184.216.34', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ];
    const fake = ((_host: string, _options: unknown, callback: (error: null, found: unknown) => void) =>
      callback(null, addresses)) as never;
    const error = await new Promise((resolve) =>
      guardedLookup({ name: 'ops', allowPrivate: false, lookup: fake })('x.example', { all: true }, resolve),
    );
    assert.ok(code('config')(error));
  });

  it('knows public addresses', () => {
    for (const address of ['1.1.1.1', '93.184.216.34', '2606:4700::1111']) assert.ok(isPublicAddress(address), address);
    for (const address of [
      '10.1.2.3',
      '172.31.0.1',
      '192.168.1.1',
      '100.64.0.1',
      '224.0.0.1',
      'fe80::1',
      'fd00::1',
      '64:ff9b::a00:1',
      '2002:a00:1::',
    ])
      assert.ok(!isPublicAddress(address), address);
  });
});
