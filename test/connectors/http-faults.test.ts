import assert from 'node:assert/strict';
import { createServer as createTcpServer } from 'node:net';
import type { ServerResponse } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { HttpRequest } from '../../connectors/http/client.ts';
import { attempt, clientOf, FakeClock, failsWith, json, startServer, type TestServer } from './http-kit.ts';

const read: HttpRequest = { method: 'GET', path: '/contacts', repeatable: true };
const write: HttpRequest = { method: 'POST', path: '/contacts', body: { a: 1 }, repeatable: false };

type Fault = (response: ServerResponse) => unknown;
const type = { 'content-type': 'application/json' };

describe('H2: passing faults', () => {
  let server: TestServer;
  let fault: Fault = () => undefined;
  /** How many requests meet the fault before all is well. */
  let faults = Infinity;

  before(async () => {
    server = await startServer((_request, response) => {
      if (faults-- > 0) fault(response);
      else json(response, 200, { well: true });
    });
  });
  after(async () => await server[Symbol.asyncDispose]());

  const status =
    (code: number): Fault =>
    (response) =>
      json(response, code, { error: 'x' });
  const broken: readonly (readonly [name: string, fault: Fault])[] = [
    ['500', status(500)],
    ['502', status(502)],
    ['503', status(503)],
    ['a time-out', () => undefined],
    ['a reset', (response) => response.destroy()],
  ];

  /** Requests that the server got of one call, which ends in `code`. */
  async function requestsOf(
    request: HttpRequest,
    code: Parameters<typeof failsWith>[0],
  ): Promise<{ requests: number; slept: readonly number[] }> {
    const clock = new FakeClock();
    await using client = clientOf(server.url, { settings: { request_timeout: '200ms' }, parts: { clock } });
    const before = server.received.length;
    await assert.rejects(
      client.request(request, attempt),
      failsWith(code, ({ message }) => assert.match(message, /^connection crm: (GET|POST) \/contacts: /)),
    );
    return { requests: server.received.length - before, slept: clock.slept };
  }

  for (const [name, one] of broken) {
    it(`${name}: a repeatable request is tried again with jittered growing pauses, up to its budget`, async () => {
      [fault, faults] = [one, Infinity];
      const clock = new FakeClock();
      await using client = clientOf(server.url, {
        settings: { request_timeout: name === 'a time-out' ? '300ms' : '10s' },
        parts: { clock },
      });
      const before = server.received.length;
      await assert.rejects(
        client.request(read, attempt),
        failsWith('unavailable', ({ message }) => assert.match(message, /tried \d times/)),
      );
      const requests = server.received.length - before;
      assert.ok(requests >= 2 && requests <= 5, `${requests} requests`);
      if (name === 'a time-out') return;
      assert.equal(requests, 5);
      for (const [at, pause] of clock.slept.entries()) assert.ok(pause >= 125 * 2 ** at && pause <= 375 * 2 ** at, `pause ${at}: ${pause}`);
    });

    it(`${name}: a request that changes something goes out once and counts as unknown`, async () => {
      [fault, faults] = [one, Infinity];
      assert.equal((await requestsOf(write, 'unknown')).requests, 1);
    });

    it(`${name}: a repeatable request ends well when the fault has passed`, async () => {
      [fault, faults] = [one, 1];
      await using client = clientOf(server.url, {
        settings: { request_timeout: name === 'a time-out' ? '300ms' : '10s' },
        parts: { clock: new FakeClock() },
      });
      assert.deepEqual((await client.request(read, attempt)).body, { well: true });
    });
  }

  it('4xx is an answer, got once', async () => {
    for (const code of [400, 403, 404, 409, 410, 413, 422]) {
      [fault, faults] = [status(code), Infinity];
      await using client = clientOf(server.url);
      const before = server.received.length;
      assert.equal((await client.request(read, attempt)).status, code);
      assert.equal(server.received.length, before + 1);
    }
  });

  it('408 and 425 had no effect: reads are tried again, writes are unavailable', async () => {
    for (const code of [408, 425]) {
      [fault, faults] = [status(code), Infinity];
      assert.equal((await requestsOf(write, 'unavailable')).requests, 1);
      [fault, faults] = [status(code), 1];
      await using client = clientOf(server.url, { parts: { clock: new FakeClock() } });
      assert.equal((await client.request(read, attempt)).status, 200);
    }
  });

  it('a 5xx that the vendor promises to be without effect is unavailable', async () => {
    [fault, faults] = [(response) => json(response, 503, { code: 'SERVER_UNAVAILABLE' }), Infinity];
    await using client = clientOf(server.url, { options: { noEffect: ({ body }) => JSON.stringify(body).includes('SERVER_UNAVAILABLE') } });
    await assert.rejects(client.request(write, attempt), failsWith('unavailable'));
  });

  it('what never got a connection surely had no effect: refused, unknown host, TLS error', async () => {
    const tcp = createTcpServer((socket) => socket.on('error', () => undefined).end('no TLS here'));
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const { port } = tcp.address() as { port: number };
    const urls = [`https://127.0.0.1:${port}`, 'http://127.0.0.1:1', 'http://no-such-host.invalid'];
    try {
      for (const url of urls) {
        await using client = clientOf(url, { parts: { clock: new FakeClock() } });
        await assert.rejects(
          client.request(write, attempt),
          failsWith('unavailable', ({ message }) => assert.match(message, /nothing was sent/)),
          url,
        );
      }
    } finally {
      tcp.close();
    }
  });

  it('a reset of a connection that was used before counts as unknown too', async () => {
    [fault, faults] = [(response) => response.destroy(), 0];
    await using client = clientOf(server.url);
    const before = server.sockets;
    await client.request(write, attempt);
    faults = 1;
    await assert.rejects(client.request(write, attempt), failsWith('unknown'));
    assert.equal(server.sockets, before + 1);
  });

  it('a deadline counts to the last byte, however slowly bytes come', async () => {
    fault = (response) => {
      response.writeHead(200, type);
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    };
    faults = Infinity;
    const begun = Date.now();
    await requestsOf(write, 'unknown');
    assert.ok(Date.now() - begun < 20_000);
  });

  it('an abort ends a request and a wait at once, with its reason', async () => {
    [fault, faults] = [() => undefined, Infinity];
    const controller = new AbortController();
    await using client = clientOf(server.url, { settings: { rate: '1 per 1h' } });
    const reason = new Error('cancelled');
    setTimeout(() => controller.abort(reason), 50);
    const one = { ...attempt, signal: controller.signal };
    await assert.rejects(client.request(write, one), reason);
  });
});

describe('H3: answers that are not what they say', () => {
  const whole = JSON.stringify({ rows: 'x'.repeat(2000) });
  const cutGzip = gzipSync(whole).subarray(0, 20);
  const garbles: readonly (readonly [name: string, fault: Fault, expects?: HttpRequest['expects']])[] = [
    ['truncated JSON', (response) => response.writeHead(200, type).end(whole.slice(0, 100))],
    [
      'fewer bytes than Content-Length',
      (response) => {
        response.writeHead(200, { ...type, 'content-length': '5000' }).write(whole);
        setTimeout(() => response.destroy(), 20);
      },
    ],
    ['a gzip that was cut', (response) => response.writeHead(200, { ...type, 'content-encoding': 'gzip' }).end(cutGzip)],
    ['bytes that are no gzip', (response) => response.writeHead(200, { ...type, 'content-encoding': 'gzip' }).end(whole)],
    ['an unknown encoding', (response) => response.writeHead(200, { ...type, 'content-encoding': 'zstd' }).end(whole)],
    ['200 with HTML', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in</html>')],
    ['200 with HTML where a text is expected', (response) => response.writeHead(200, type).end('<!DOCTYPE html><p>Log in'), 'text'],
    ['200 with an empty body', (response) => response.writeHead(200, type).end()],
    ['204 where JSON is expected', (response) => response.writeHead(204).end(), 'json'],
  ];

  for (const [name, fault, expects] of garbles) {
    it(`${name}: never taken for an answer`, async () => {
      await using server = await startServer((_request, response) => fault(response));
      await using client = clientOf(server.url, { parts: { clock: new FakeClock() } });
      const more = expects === undefined ? {} : { expects };
      await assert.rejects(client.request({ ...write, ...more }, attempt), failsWith('unknown'));
      assert.equal(server.received.length, 1);
      await assert.rejects(client.request({ ...read, ...more }, attempt), failsWith('unavailable'));
      assert.equal(server.received.length, 6);
    });
  }

  it('takes 204 and, where it may be, nothing for an answer; gzip, deflate and brotli are inflated', async () => {
    const answers: Fault[] = [
      (response) => response.writeHead(204).end(),
      (response) => response.writeHead(201).end(),
      (response) => response.writeHead(200, { ...type, 'content-encoding': 'gzip' }).end(gzipSync(whole)),
      (response) => response.writeHead(200, { ...type, 'content-encoding': 'br' }).end(brotliCompressSync(whole)),
      (response) => response.writeHead(200, { 'content-type': 'text/csv' }).end('id,name\n'),
    ];
    await using server = await startServer((_request, response, no) => answers[no - 1]?.(response));
    await using client = clientOf(server.url);
    assert.equal((await client.request(write, attempt)).body, undefined);
    assert.equal((await client.request({ ...write, expects: 'json-or-nothing' }, attempt)).status, 201);
    assert.deepEqual((await client.request(write, attempt)).body, JSON.parse(whole));
    assert.deepEqual((await client.request(write, attempt)).body, JSON.parse(whole));
    assert.equal((await client.request({ ...read, expects: 'text' }, attempt)).text, 'id,name\n');
  });

  it('refuses an answer that inflates to far more than was sent, or is too large, without holding it', async () => {
    const answers: Fault[] = [
      (response) => response.writeHead(200, { ...type, 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(256 * 1024 * 1024))),
      (response) => response.writeHead(200, { ...type, 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(8 * 1024 * 1024, ' '))),
      (response) => {
        response.writeHead(200, type);
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(1024 * 1024, ' ')));
        };
        response.on('drain', more);
        more();
      },
    ];
    await using server = await startServer((_request, response, no) => answers[no - 1]?.(response));
    await using client = clientOf(server.url);
    for (const _ of answers) {
      const before = process.memoryUsage().rss;
      await assert.rejects(
        client.request(read, attempt),
        failsWith('config', ({ message }) => assert.match(message, /larger than is allowed/)),
      );
      assert.ok(process.memoryUsage().rss - before < 250 * 1024 * 1024);
    }
    assert.equal(server.received.length, 3, 'it was asked for again');
  });
});
