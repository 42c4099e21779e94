import assert from 'node:assert/strict';
import type { OutgoingRequest } from '../../connectors/http/stores.ts';
import { memoryStores } from '../../connectors/http/memory-stores.ts';
import { routeOf } from '../../connectors/http/route.ts';
import { ExactNumber } from '../../schema/value.ts';
import { attempt, clientOf, failsWith, FakeClock, json, startServer } from './http-kit.ts';

describe('HTTP client: requests', () => {
  it('writes exact numbers as they are, leaves out undefined, encodes parameters', async () => {
    await using server = await startServer((_request, response) => json(response, 200, {}));
    await using client = clientOf(`${server.url}/v3/`);
    const body = {
      rows: [{ id: new ExactNumber('9007199254740993'), price: new ExactNumber('1.10'), name: 'é"', none: undefined, empty: null }],
    };
    const query = { email: 'a+b@example.com', limit: 5, absent: undefined, all: true };
    await client.request({ method: 'POST', path: '/contacts?x=1', query, body, repeatable: false }, attempt);
    const [request] = server.received;
    assert.equal(request?.text, '{"rows":[{"id":9007199254740993,"price":1.10,"name":"é\\"","empty":null}]}');
    assert.equal(request.url, '/v3/contacts?x=1&email=a%2Bb%40example.com&limit=5&all=true');
    assert.equal(request.headers['content-type'], 'application/json');
    assert.equal(request.headers['content-length'], String(Buffer.byteLength(request.text)));
    await client.request({ method: 'PUT', path: 'jobs', text: { type: 'text/csv', body: 'a\n1\n' }, repeatable: false }, attempt);
    assert.deepEqual([server.received[1]?.text, server.received[1]?.headers['content-type']], ['a\n1\n', 'text/csv']);
  });

  it('gives status, headers, body and what the vendor calls the request', async () => {
    await using server = await startServer((_request, response) =>
      json(response, 207, { n: 1 }, { 'X-Vendor-Id': 'r1', 'X-Request-Id': 'r2' }),
    );
    await using client = clientOf(server.url, { options: { requestIdHeaders: ['x-vendor-id'] } });
    const { status, body, requestId, headers } = await client.request({ method: 'GET', path: '/', repeatable: true }, attempt);
    assert.deepEqual([status, body, requestId, headers['x-request-id']], [207, { n: 1 }, 'r1', 'r2']);
  });

  it('uses connections again', async () => {
    await using server = await startServer((_request, response) => json(response, 200, {}));
    await using client = clientOf(server.url);
    for (let no = 0; no < 10; no++) await client.request({ method: 'POST', path: '/', body: {}, repeatable: false }, attempt);
    assert.equal(server.sockets, 1);
  });

  it('names parts of the path in messages, and no values', () => {
    for (const [path, route] of [
      ['/crm/v3/objects/contacts/batch/upsert', '/crm/v3/objects/contacts/batch/upsert'],
      ['/services/data/v60.0/composite/sobjects/Account/Ext__c/77?x=SECRET', '/services/data/v60.0/composite/sobjects/Account/Ext__c/…'],
      ['/contacts/jane%40example.com', '/contacts/…'],
      ['https://api.example/2025-09/contacts/12/notes?token=SECRET', '/2025-09/contacts/…/notes'],
      ['contacts', '/contacts'],
    ] as const)
      assert.equal(routeOf({ path }), route);
    assert.equal(routeOf({ path: '/contacts/jane', route: '/contacts/{id}' }), '/contacts/{id}');
  });

  it('no message holds a secret, a parameter or a value', async () => {
    const auths = [
      { type: 'bearer', token: 'CANARY' },
      { type: 'basic', user: 'u', password: 'CANARY' },
      { type: 'api-key', query: 'key', value: 'CANARY' },
      {
        type: 'oauth2',
        grant: 'client_credentials',
        token_url: 'http://127.0.0.1:1/CANARY?x=CANARY',
        client_id: 'id',
        client_secret: 'CANARY',
      },
    ] as const;
    const answers = [
      [302, { location: 'https://other.example/?code=CANARY' }],
      [401, {}],
      [408, {}],
      [429, { 'retry-after': '60' }],
      [429, { 'retry-after': '999999' }],
      [500, {}],
      [200, { 'content-length': '3' }],
    ] as const;
    const request = {
      method: 'POST',
      path: '/contacts/CANARY-7?x=CANARY',
      query: { email: 'CANARY' },
      headers: { 'x-session': 'CANARY' },
      body: { name: 'CANARY' },
      repeatable: false,
    } as const;
    const seen: string[] = [];
    for (const auth of auths) {
      for (const [status, headers] of answers) {
        await using server = await startServer((_request, response) =>
          response.writeHead(status, headers).end('CANARY'.slice(0, status === 200 ? 3 : 6)),
        );
        const parts = { clock: new FakeClock() };
        for (const url of [`${server.url}/CANARY-1`, 'http://127.0.0.1:1', 'http://CANARY.invalid']) {
          await using client = clientOf(url, { settings: { auth }, parts });
          const error: unknown = await client.request(request, attempt).catch((reason: unknown) => reason);
          assert.ok(error instanceof Error, `${status}`);
          seen.push(error.message);
          // Causes travel with errors into logs.
          for (let one: unknown = error; one instanceof Error; one = one.cause) assert.doesNotMatch(one.message, /CANARY/i);
        }
      }
    }
    assert.equal(seen.length, auths.length * answers.length * 3);
    for (const message of seen) assert.match(message, /^connection crm: /);
  });

  it('shows a request in place of sending it, without secrets', async () => {
    const shown: OutgoingRequest[] = [];
    const transport = async (request: OutgoingRequest) => {
      shown.push(request);
      return { status: 200, headers: {}, body: '{}' };
    };
    const auths = [
      { type: 'bearer', token: 'CANARY' },
      { type: 'basic', user: 'u', password: 'CANARY' },
      { type: 'api-key', header: 'X-Key', value: 'CANARY' },
      { type: 'api-key', query: 'key', value: 'CANARY' },
      { type: 'oauth2', grant: 'client_credentials', token_url: 'http://127.0.0.1:1/', client_id: 'id', client_secret: 'CANARY' },
    ] as const;
    for (const auth of auths) {
      const context = { ...memoryStores(), transport };
      await using client = clientOf('https://api.example', {
        settings: { auth },
        context,
        options: { authHeaders: { 'X-Signed': 'CANARY' } },
      });
      await client.request({ method: 'POST', path: '/contacts', body: { a: 1 }, repeatable: false }, attempt);
    }
    assert.equal(shown.length, 5);
    assert.doesNotMatch(JSON.stringify(shown), /CANARY/);
    assert.equal(shown[0]?.headers['authorization'], '[secret]');
    assert.equal(shown[0]?.headers['x-signed'], '[secret]');
    assert.equal(shown[0]?.body, '{"a":1}');
    assert.equal(shown[3]?.url, 'https://api.example/contacts?key=%5Bsecret%5D');
  });

  it('a request that goes out once is not begun when its attempt may have no effects any more', async () => {
    await using server = await startServer((_request, response) => json(response, 200, {}));
    await using client = clientOf(server.url);
    const late = { ...attempt, until: performance.now() - 1 };
    await assert.rejects(client.request({ method: 'POST', path: 'things', repeatable: false }, late), failsWith('unavailable'));
    assert.equal(server.received.length, 0);
    const inTime = { ...attempt, until: performance.now() + 5000 };
    assert.equal((await client.request({ method: 'POST', path: 'things', repeatable: false }, inTime)).status, 200);
  });
});
