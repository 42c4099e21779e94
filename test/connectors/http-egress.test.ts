import assert from 'node:assert/strict';
import type { lookup } from 'node:dns';
import { attempt, clientOf, failsWith, json, startServer, type TestServer } from './http-kit.ts';

const get = { method: 'GET', path: '/contacts', repeatable: true } as const;

/** A resolver that gives each time the next of the addresses, then the last. */
function resolver(...addresses: string[]): { lookup: typeof lookup; readonly asked: string[] } {
  const asked: string[] = [];
  const resolve = (host: string, _options: unknown, done: (error: null, found: unknown) => void): void => {
    asked.push(host);
    const address = (addresses.length > 1 ? addresses.shift() : addresses[0]) ?? '';
    done(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
  };
  return { lookup: resolve as never, asked };
}

describe('HTTP client: where requests may go', () => {
  let canary: TestServer;
  let outside: TestServer;
  let answer: (response: Parameters<typeof json>[0]) => void = (response) => json(response, 200, {});
  // Stands for the Internet; everything else of 127.0.0.0/8 is private as ever.
  const isPublic = (address: string): boolean => address === '127.0.0.2';

  before(async () => {
    canary = await startServer((_request, response) => json(response, 200, {}));
    outside = await startServer((_request, response) => answer(response), '127.0.0.2');
  });
  beforeEach(() => {
    answer = (response) => json(response, 200, {});
  });
  afterEach(() => assert.equal(canary.sockets, 0, 'a socket was opened'));
  after(async () => {
    await canary[Symbol.asyncDispose]();
    await outside[Symbol.asyncDispose]();
  });

  for (const host of [
    '127.0.0.1',
    '127.1',
    '0x7f.1',
    '2130706433',
    '017700000001',
    'localhost',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '0.0.0.0',
    '[::]',
    '169.254.169.254',
    '10.0.0.1',
    '[fd00::1]',
  ]) {
    it(`refuses ${host} without a connection`, async () => {
      await using client = clientOf(`http://${host}:${canary.port}`, { settings: { allow_private: false } });
      await assert.rejects(
        client.request(get, attempt),
        failsWith('config', ({ message }) => assert.match(message, /crm.*private.*allow_private/)),
      );
    });
  }

  it('refuses names that resolve to private addresses', async () => {
    const { lookup: one } = resolver('127.0.0.1');
    await using client = clientOf(`http://127.0.0.1.nip.example:${canary.port}`, {
      settings: { allow_private: false },
      parts: { egress: { lookup: one } },
    });
    await assert.rejects(client.request(get, attempt), failsWith('config'));
  });

  it('connects to the address that was checked, so that a name that changes its address between check and use gains nothing', async () => {
    answer = (response) => json(response, 200, {}, { connection: 'close' });
    const { lookup: rebinding, asked } = resolver('127.0.0.2', '127.0.0.1');
    await using client = clientOf(`http://rebind.example:${outside.port}`, {
      settings: { allow_private: false },
      parts: { egress: { lookup: rebinding, isPublic } },
    });
    assert.equal((await client.request(get, attempt)).status, 200);
    assert.equal(asked.length, 1, 'one look-up for one connection');
    await assert.rejects(client.request(get, attempt), failsWith('config'));
  });

  it('checks redirects and absolute links like the first address', async () => {
    await using client = clientOf(outside.url, { settings: { allow_private: false }, parts: { egress: { isPublic } } });
    for (const target of [canary.url, `http://localhost:${canary.port}`, `//127.1:${canary.port}/`]) {
      answer = (response) => response.writeHead(302, { location: target }).end();
      await assert.rejects(client.request(get, attempt), failsWith('config'), target);
    }
    await assert.rejects(client.request({ ...get, path: `${canary.url}/next` }, attempt), failsWith('config'));
    for (const location of ['file:///etc/passwd', 'ftp://127.0.0.2/']) {
      answer = (response) => response.writeHead(302, { location }).end();
      await assert.rejects(client.request(get, attempt), failsWith('config'), location);
    }
  });

  it('lets no value in a path climb out of it', async () => {
    await using client = clientOf(`${outside.url}/v3`);
    const before = outside.received.length;
    for (const path of ['/contacts/..', '/contacts/../../admin', '/contacts/%2e%2E/admin', '/contacts/./x']) {
      await assert.rejects(client.request({ ...get, path }, attempt), failsWith('rejected'), path);
    }
    assert.equal(outside.received.length, before);
    await client.request({ ...get, path: '//other.example/contacts' }, attempt);
    assert.equal(outside.received.at(-1)?.url, '/v3/other.example/contacts');
  });
});

describe('HTTP client: redirects', () => {
  const secrets = { authHeaders: { 'X-Signed': 'SECRET' }, secretHeaders: ['X-Session'] };
  const auths = [
    { type: 'bearer', token: 'SECRET' },
    { type: 'basic', user: 'SECRET', password: 'SECRET' },
    { type: 'api-key', header: 'X-Api-Key', value: 'SECRET' },
    { type: 'api-key', query: 'hapikey', value: 'SECRET' },
  ] as const;

  it('keeps credentials from other hosts, and gives them to its own', async () => {
    await using other = await startServer((_request, response) => json(response, 200, { from: 'other' }));
    await using home = await startServer((request, response) => {
      if (request.url.startsWith('/there')) response.writeHead(307, { location: `${other.url}/x` }).end();
      else if (request.url.startsWith('/here')) response.writeHead(308, { location: '/last' }).end();
      else json(response, 200, { from: 'home' });
    });
    for (const auth of auths) {
      await using client = clientOf(home.url, { settings: { auth }, options: secrets });
      const headers = { 'x-session': 'SECRET' };
      await client.request({ method: 'GET', path: '/there', repeatable: true, headers }, attempt);
      await client.request({ method: 'GET', path: `${other.url}/link`, repeatable: true, headers }, attempt);
      await client.request({ method: 'GET', path: '/here', repeatable: true, headers }, attempt);
      const basic = Buffer.from('SECRET:SECRET').toString('base64');
      const last = JSON.stringify(home.received.at(-1));
      assert.equal(home.received.at(-1)?.url.split('?')[0], '/last');
      assert.ok(last.includes('SECRET') || last.includes(basic), auth.type);
    }
    assert.equal(other.received.length, 8);
    assert.doesNotMatch(JSON.stringify(other.received), /SECRET|U0VDUkVU|authorization/);
  });

  it('follows none for requests that change something, none that would change the method, and not for ever', async () => {
    await using home = await startServer((request, response) => {
      response.writeHead(request.url === '/moved' ? 302 : 307, { location: `${home.url}${request.url}` }).end();
    });
    await using client = clientOf(home.url);
    const post = { method: 'POST', path: '/contacts', body: {}, repeatable: false } as const;
    await assert.rejects(client.request(post, attempt), failsWith('config'));
    assert.equal(home.received.length, 1);
    await assert.rejects(client.request({ ...post, path: '/moved', repeatable: true }, attempt), failsWith('config'));
    assert.equal(home.received.length, 2);
    await assert.rejects(client.request(get, attempt), failsWith('config'));
    assert.ok(home.received.length <= 9, 'a circle was followed');
  });
});
