import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Part } from '../../gateway/context.ts';
import { MillraceError } from '../../schema/errors.ts';
import { ask, openTestGateway, until, type TestGateway } from '../gateway-kit.ts';

const tables = `
  CREATE TABLE marts.customers (id bigint PRIMARY KEY, name text);
  INSERT INTO marts.customers VALUES (1, 'Ada'), (9007199254740993, 'Alan');`;
const apis = { customers: { dataset: 'marts.customers', key: 'id', roles: { support: { fields: 'all' } } } };

const open = { config: { access: { kind: 'public' } } } as const;

/** Routes that fail in each way. */
const failing: Part = (server) => {
  server.get('/fails/fault', open, () => {
    throw new Error('the password is swordfish');
  });
  server.get('/fails/config', open, () => {
    throw new MillraceError('config', 'swordfish is no role');
  });
  server.get('/fails/auth', open, () => {
    throw new MillraceError('auth', 'password authentication failed for swordfish');
  });
  server.get('/fails/unavailable', open, () => {
    throw new MillraceError('unavailable', 'swordfish:5432 refused', { retryAfter: 2500 });
  });
  server.get('/fails/rejected', open, () => {
    throw new MillraceError('rejected', "id: the value isn't of its type");
  });
  server.get('/fails/slow', open, () => {
    throw new MillraceError('rejected', 'the statement took longer than 5000 ms');
  });
  server.get('/fails/schema', open, () => {
    throw new MillraceError('schema', 'column swordfish does not exist');
  });
  server.post('/echo', open, ({ body }) => ({ body }));
};

/** What a raw exchange of bytes gives until the server ends it. */
async function exchange(address: string, text: string): Promise<string> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''));
  socket.write(text);
  let answer = '';
  socket.on('data', (part: Buffer) => (answer += part.toString()));
  await once(socket, 'close');
  return answer;
}

describe('the server of the gateway', () => {
  let gateway: TestGateway;
  let token: string;

  before(async () => {
    gateway = await openTestGateway({
      tables,
      apis,
      parts: [failing],
      gateway: { cors: ['https://app.example.com'], body: '1 KB' },
    });
    token = await gateway.token({ role: 'support' });
  });
  after(async () => await gateway?.[Symbol.asyncDispose]());

  it('answers a list with the rows of its table', async () => {
    const { status, json } = await gateway.get('/api/customers', { token });
    assert.equal(status, 200);
    assert.deepEqual(
      json.data.map(({ id }: { id: string }) => id),
      ['1', '9007199254740993'],
    );
  });

  const always = {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  };
  const headers: readonly (readonly [path: string, withToken: boolean, status: number, more: Readonly<Record<string, string>>])[] = [
    ['/api/customers', true, 200, { 'cache-control': 'private, no-cache', vary: 'authorization, accept, origin' }],
    ['/api/customers/1', true, 200, { 'cache-control': 'private, no-cache' }],
    ['/api/customers', false, 401, { 'cache-control': 'no-store' }],
    ['/api/none', true, 404, { 'cache-control': 'no-store' }],
    ['/none', false, 404, { 'cache-control': 'no-store' }],
    ['/healthz', false, 200, { 'cache-control': 'no-store' }],
    ['/fails/fault', false, 500, { 'cache-control': 'no-store' }],
  ];
  for (const [path, withToken, status, more] of headers) {
    it(`sends headers of safety with ${status} of ${path}`, async () => {
      const told = await gateway.get(path, withToken ? { token } : {});
      assert.equal(told.status, status);
      for (const [name, value] of Object.entries({ ...always, ...more })) assert.equal(told.headers.get(name), value, name);
      assert.equal(told.headers.get('server'), null);
      assert.equal(told.headers.get('x-powered-by'), null);
      assert.match(told.headers.get('x-request-id') ?? '', /^[\w-]{36}$/);
    });
  }

  const failures: readonly (readonly [path: string, status: number, title: string, retryAfter: string | null])[] = [
    ['/fails/unavailable', 503, 'Unavailable', '3'],
    ['/fails/rejected', 400, 'Bad request', null],
    ['/fails/slow', 504, 'Took too long', null],
    ['/fails/schema', 503, 'Changed', '1'],
    ['/fails/config', 500, 'Internal error', null],
    ['/fails/auth', 500, 'Internal error', null],
    ['/fails/fault', 500, 'Internal error', null],
    ['/none', 404, 'Not found', null],
    ['/%zz', 400, 'Bad request', null],
    [`/api/customers/${'1'.repeat(2000)}`, 401, 'Unauthorized', null],
    [`/api/${'x'.repeat(2000)}`, 414, 'Address too long', null],
  ];
  for (const [path, status, title, retryAfter] of failures) {
    it(`answers ${path.slice(0, 30)} as the problem "${title}" and says nothing that is inside`, async () => {
      const told = await gateway.get(path);
      assert.equal(told.status, status);
      assert.equal(told.headers.get('content-type'), 'application/problem+json; charset=utf-8');
      assert.equal(told.headers.get('retry-after'), retryAfter);
      assert.equal(told.json.title, title);
      assert.equal(told.json.status, status);
      assert.doesNotMatch(told.text, /swordfish/);
    });
  }

  it('logs a fault under the id that its caller was told', async () => {
    const { json } = await gateway.get('/fails/fault');
    const line = gateway.log.find(({ level, fields }) => level === 'error' && fields['request'] === json.id);
    assert.equal(line?.fields['error'], 'the password is swordfish');
  });

  it('says which methods a path takes', async () => {
    const told = await gateway.post('/api/customers', {});
    assert.equal(told.status, 405);
    assert.equal(told.headers.get('allow'), 'GET, HEAD, OPTIONS');
    assert.equal((await gateway.get('/echo')).headers.get('allow'), 'POST');
  });

  it('refuses bodies that are too large, of another type, or no JSON, and says what it takes', async () => {
    const json = { headers: { 'content-type': 'application/json' } };
    const large = await gateway.post('/echo', { text: 'x'.repeat(1100) });
    assert.equal(large.status, 413);
    assert.match(large.json.detail, /^The body may have 1024 bytes here: send less at a time/);
    const xml = await gateway.post('/echo', '<x/>', { headers: { 'content-type': 'application/xml' } });
    assert.equal(xml.status, 415);
    assert.match(xml.json.detail, /send it with "content-type: application\/json"/);
    const broken = await gateway.post('/echo', '{"card": 4111111111111111', json);
    assert.equal(broken.status, 400);
    assert.doesNotMatch(broken.text, /4111/);
    assert.equal((await gateway.post('/echo', '{"__proto__": {"admin": true}}', json)).status, 400);
  });

  it('lets browsers of the origins named call, and no others', async () => {
    const preflight = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
    const asked = await gateway.get('/api/customers', { method: 'OPTIONS', headers: { origin: 'https://app.example.com', ...preflight } });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers.get('access-control-allow-origin'), 'https://app.example.com');
    assert.match(asked.headers.get('access-control-allow-headers') ?? '', /authorization/);
    const told = await gateway.get('/api/customers', { token, headers: { origin: 'https://app.example.com' } });
    assert.equal(told.headers.get('access-control-allow-origin'), 'https://app.example.com');
    for (const origin of ['https://app.example.com.evil.example', 'http://app.example.com', 'null']) {
      const refused = await gateway.get('/api/customers', { method: 'OPTIONS', headers: { origin, ...preflight } });
      assert.equal(refused.headers.get('access-control-allow-origin'), null);
      assert.equal((await gateway.get('/api/customers', { token, headers: { origin } })).headers.get('access-control-allow-origin'), null);
    }
  });

  it('answers an id of the caller with the same, unless it is none', async () => {
    assert.equal((await gateway.get('/healthz', { headers: { 'x-request-id': 'a.b-1' } })).headers.get('x-request-id'), 'a.b-1');
    assert.notEqual((await gateway.get('/healthz', { headers: { 'x-request-id': 'a b"' } })).headers.get('x-request-id'), 'a b"');
  });

  it('cuts off who sends headers slowly, and who sends a body slowly', async () => {
    const times = { headers: 300, request: 600, idle: 65_000, silence: 5000 };
    await using hasty = await openTestGateway({ tables, apis, parts: [failing], options: { times } });
    assert.match(await exchange(hasty.address, 'GET / HTTP/1.1\r\nhost: x\r\nx-slow: '), /^HTTP\/1\.1 408 /);
    const body = 'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{';
    assert.match(await exchange(hasty.address, body), /^HTTP\/1\.1 408 /);
  });

  it('answers what is no HTTP, and headers that are too large, as problems', async () => {
    const noise = await exchange(gateway.address, 'GET / HTTP/9.9\r\n\r\n');
    assert.match(noise, /^HTTP\/1\.1 400 .*application\/problem\+json/s);
    const large = await exchange(gateway.address, `GET / HTTP/1.1\r\nhost: x\r\nx-large: ${'x'.repeat(20_000)}\r\n\r\n`);
    assert.match(large, /^HTTP\/1\.1 431 .*"title":"Headers too large"/s);
  });

  it('writes a line for each request with its route, caller and id, and no value or token', async () => {
    const told = await gateway.get('/api/customers/1?fields=name', { token });
    const id = told.headers.get('x-request-id');
    const lineOf = () => gateway.log.find(({ fields }) => fields['request'] === id);
    await until(() => lineOf() !== undefined);
    const line = lineOf() ?? assert.fail();
    const { route, status, method, caller, bytes } = line.fields;
    assert.deepEqual({ route, status, method, bytes }, { route: '/api/:name/*', status: 200, method: 'GET', bytes: told.text.length });
    assert.match(String(caller), /^token:/);
    assert.doesNotMatch(JSON.stringify(line), /fields=name|mr_/);
  });
});

describe('opening the gateway', () => {
  it('refuses a route that does not say who may call it', async () => {
    const careless: Part = (server) => void server.get('/careless', () => 'open to all');
    await assert.rejects(openTestGateway({ tables, apis, parts: [careless] }), /\/careless has no config\.access/);
  });

  it('says what to do about a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      await assert.rejects(openTestGateway({ tables, apis, gateway: { listen: `127.0.0.1:${port}` } }), (error: unknown) => {
        assert.ok(error instanceof MillraceError);
        assert.equal(error.code, 'config');
        assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}: another program has the port`));
        return true;
      });
    } finally {
      other.close();
    }
  });

  it('listens on IPv6', async () => {
    await using gateway = await openTestGateway({ tables, apis, gateway: { listen: '[::1]:0' } });
    assert.match(gateway.address, /^http:\/\/\[::1\]:\d+$/);
    assert.equal((await ask(gateway.address, '/healthz')).status, 200);
  });
});
