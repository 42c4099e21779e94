import assert from 'node:assert/strict';
import { generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import pg from 'pg';
import type { ApplicationContext } from '../../connectors/application.ts';
import { memoryStores } from '../../connectors/http/memory-stores.ts';
import type { AuthSettings } from '../../connectors/http/settings.ts';
import { authSettings } from '../../connectors/http/settings.ts';
import { postgresLimitStore } from '../../connectors/postgres/limits.ts';
import { postgresTokenStore } from '../../connectors/postgres/tokens.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { attempt, clientOf, FakeClock, failsWith, json, startServer, type TestServer } from './http-kit.ts';

const read = { method: 'GET', path: '/contacts', repeatable: true } as const;

/** An API with its authorization server, which rotates refresh tokens where `rotates`, and counts. */
async function startOwner(options: { rotates?: boolean; grace?: boolean; expiresIn?: number | null } = {}) {
  const state = {
    issued: 0,
    refreshToken: 'refresh-0',
    previous: '',
    valid: new Set<string>(),
    loseNext: false,
    forms: [] as URLSearchParams[],
  };
  const issue = (): Record<string, unknown> => {
    state.issued += 1;
    const token = `access-${state.issued}`;
    state.valid = new Set([token]);
    const expires = options.expiresIn === null ? {} : { expires_in: options.expiresIn ?? 3600 };
    if (options.rotates !== true) return { access_token: token, ...expires };
    [state.previous, state.refreshToken] = [state.refreshToken, `refresh-${state.issued}`];
    return { access_token: token, ...expires, refresh_token: state.refreshToken };
  };
  const isKnown = (given: string | null): boolean =>
    given === null || given === state.refreshToken || (options.grace === true && given === state.previous);
  const server = await startServer((request, response) => {
    if (request.url !== '/token') {
      const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
      return json(response, state.valid.has(token) ? 200 : 401, {});
    }
    const form = new URLSearchParams(request.text);
    state.forms.push(form);
    const given = form.get('refresh_token');
    if (!isKnown(given)) return json(response, 400, { error: 'invalid_grant', error_description: `token ${given} was used` });
    const issued = issue();
    if (!state.loseNext) return json(response, 200, issued);
    state.loseNext = false;
    response.destroy();
  });
  return { server, state };
}

const clientCredentials = (server: TestServer): AuthSettings => ({
  type: 'oauth2',
  grant: 'client_credentials',
  token_url: `${server.url}/token`,
  client_id: 'id',
  client_secret: 'client-secret',
});
const refreshing = (server: TestServer): AuthSettings =>
  ({ ...clientCredentials(server), grant: 'refresh_token', refresh_token: 'refresh-0' }) as AuthSettings;

describe('H6: tokens', () => {
  let database: string;
  before(async () => {
    database = await createDatabase('http_tokens');
  });
  after(async () => await dropDatabase(database));

  /** The stores of one worker. */
  function worker(): ApplicationContext & AsyncDisposable {
    const limits = postgresLimitStore({ type: 'postgres', url: database }, 'books');
    const tokens = postgresTokenStore({ type: 'postgres', url: database }, 'books');
    return {
      limits,
      tokens,
      async [Symbol.asyncDispose]() {
        await limits[Symbol.asyncDispose]();
        await tokens[Symbol.asyncDispose]();
      },
    };
  }

  it('a token that ends mid-run is refreshed once, by whichever of two workers comes first', async () => {
    const { server, state } = await startOwner({ rotates: true });
    await using _server = server;
    await using one = worker();
    await using two = worker();
    const settings = { auth: refreshing(server) };
    await using first = clientOf(server.url, { settings, context: one });
    await using second = clientOf(server.url, { settings, context: two });
    const all = async () => await Promise.all([first, second, first, second].map(async (client) => await client.request(read, attempt)));
    assert.deepEqual(
      (await all()).map(({ status }) => status),
      [200, 200, 200, 200],
    );
    assert.equal(state.issued, 1, 'refresh count');
    state.valid.clear();
    assert.deepEqual(
      (await all()).map(({ status }) => status),
      [200, 200, 200, 200],
    );
    assert.equal(state.issued, 2, 'refresh count');
  });

  it('a rotated refresh token is kept, encrypted, before the next request, and used by workers that come later', async () => {
    const { server, state } = await startOwner({ rotates: true });
    await using _server = server;
    const settings = { auth: refreshing(server) };
    for (let no = 1; no <= 3; no++) {
      await using context = worker();
      await using client = clientOf(server.url, { settings, context });
      state.valid.clear();
      assert.equal((await client.request(read, attempt)).status, 200);
      assert.equal(state.issued, no);
    }
    const client = new pg.Client({ connectionString: database });
    await client.connect();
    const { rows } = await client.query<{ all: string }>(
      `SELECT string_agg(t::text || encode(sealed, 'escape'), ' ') AS all FROM _millrace.tokens t`,
    );
    await client.end();
    assert.ok((rows[0]?.all ?? '').length > 50);
    assert.doesNotMatch(rows[0]?.all ?? '', /access-|refresh-|client-secret/);
  });

  it('another secret does not open the stored token', async () => {
    const { server } = await startOwner();
    await using _server = server;
    await using context = worker();
    const token = { accessToken: 'a' };
    const [key, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    await context.tokens.refresh(
      'c',
      key,
      () => false,
      async () => token,
    );
    assert.deepEqual(await context.tokens.read('c', key), token);
    assert.equal(await context.tokens.read('c', other), undefined);
  });

  it('a failed refresh keeps what was stored, and lets the next one in', async () => {
    await using context = worker();
    const key = new Uint8Array(32).fill(3);
    await context.tokens.refresh(
      'd',
      key,
      () => true,
      async () => ({ accessToken: 'one', refreshToken: 'r' }),
    );
    const failing = context.tokens.refresh(
      'd',
      key,
      () => false,
      async () => await Promise.reject(new Error('no')),
    );
    await assert.rejects(failing, /no/);
    const next = await context.tokens.refresh(
      'd',
      key,
      () => false,
      async (stored) => ({ accessToken: `${stored?.refreshToken} used` }),
    );
    assert.equal(next.accessToken, 'r used');
  });

  it('a lost answer to a refresh is asked for again with the same token, where the server has a grace', async () => {
    const { server, state } = await startOwner({ rotates: true, grace: true });
    await using _server = server;
    state.loseNext = true;
    await using client = clientOf(server.url, { settings: { auth: refreshing(server) }, parts: { clock: new FakeClock() } });
    assert.equal((await client.request(read, attempt)).status, 200);
    assert.deepEqual(
      state.forms.map((form) => form.get('refresh_token')),
      ['refresh-0', 'refresh-0'],
    );
  });

  it('a lost answer to a refresh that the server does not repeat is an auth error that says what to do', async () => {
    const { server, state } = await startOwner({ rotates: true });
    await using _server = server;
    state.loseNext = true;
    await using client = clientOf(server.url, { settings: { auth: refreshing(server) }, parts: { clock: new FakeClock() } });
    await assert.rejects(
      client.request(read, attempt),
      failsWith('auth', ({ message }) => {
        assert.match(message, /invalid_grant.*authorize the application again.*auth\.refresh_token/);
        assert.doesNotMatch(message, /refresh-0|client-secret/);
      }),
    );
  });

  it('a token is fetched again shortly before it ends, and not sooner', async () => {
    const clock = new FakeClock();
    const { server, state } = await startOwner({ expiresIn: 3600 });
    await using _server = server;
    await using client = clientOf(server.url, {
      settings: { auth: clientCredentials(server) },
      context: memoryStores(clock),
      parts: { clock },
    });
    await client.request(read, attempt);
    clock.pass(3500_000);
    await client.request(read, attempt);
    assert.equal(state.issued, 1);
    clock.pass(50_000);
    await client.request(read, attempt);
    assert.equal(state.issued, 2);
    assert.equal(server.received.filter(({ url }) => url === '/contacts').length, 3, 'none was refused');
  });

  it('401 is answered by one refresh, then it is an auth error; fixed credentials are not tried again', async () => {
    const { server, state } = await startOwner();
    await using _server = server;
    await using broken = await startServer((_request, response) => json(response, 401, {}));
    await using client = clientOf(broken.url, { settings: { auth: clientCredentials(server) } });
    const write = { method: 'POST', path: '/contacts', body: {}, repeatable: false } as const;
    await assert.rejects(
      client.request(write, attempt),
      failsWith('auth', ({ message }) => assert.match(message, /401.*check auth/)),
    );
    assert.deepEqual([state.issued, broken.received.length], [2, 2]);
    await using fixed = clientOf(broken.url, { settings: { auth: { type: 'bearer', token: 'x' } } });
    await assert.rejects(fixed.request(write, attempt), failsWith('auth'));
    assert.equal(broken.received.length, 3);
  });

  it('an authorization server that is down is unavailable, one that refuses is an auth error, its address is guarded', async () => {
    const parts = { clock: new FakeClock() };
    for (const [status, code] of [
      [503, 'unavailable'],
      [429, 'rate-limited'],
      [401, 'auth'],
      [302, 'config'],
    ] as const) {
      await using server = await startServer((_request, response) =>
        json(response, status, { error: 'invalid_client' }, { location: '/x' }),
      );
      await using client = clientOf(server.url, { settings: { auth: clientCredentials(server) }, parts });
      await assert.rejects(client.request(read, attempt), failsWith(code));
    }
    await using canary = await startServer((_request, response) => json(response, 200, { access_token: 'x' }));
    await using client = clientOf('https://api.example', { settings: { allow_private: false, auth: clientCredentials(canary) } });
    await assert.rejects(client.request(read, attempt), failsWith('config'));
    assert.equal(canary.sockets, 0);
  });

  it('client id and secret go where the server looks for them', async () => {
    const { server, state } = await startOwner();
    await using _server = server;
    const auth = { ...clientCredentials(server), scope: 'a b', send_secret_in: 'header' } as AuthSettings;
    await using client = clientOf(server.url, { settings: { auth } });
    await client.request(read, attempt);
    assert.equal(state.forms[0]?.toString(), 'grant_type=client_credentials&scope=a+b');
    assert.equal(server.received[0]?.headers.authorization, `Basic ${Buffer.from('id:client-secret').toString('base64')}`);
  });
});

describe('JWT bearer', () => {
  const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const settings = (server: TestServer, algorithm: 'RS256' | 'ES256', key: string): AuthSettings => ({
    type: 'jwt-bearer',
    token_url: `${server.url}/token`,
    issuer: 'client',
    subject: 'user@example.com',
    audience: 'https://login.example',
    private_key: key,
    algorithm,
  });

  for (const [algorithm, pair] of [
    ['RS256', rsa],
    ['ES256', ec],
  ] as const) {
    it(`signs an assertion with ${algorithm} that its public key accepts`, async () => {
      const { server, state } = await startOwner({ expiresIn: null });
      await using _server = server;
      const clock = new FakeClock();
      const oneLine = pem(pair.privateKey).replaceAll('\n', '\\n');
      await using client = clientOf(server.url, { settings: { auth: settings(server, algorithm, oneLine) }, parts: { clock } });
      assert.equal((await client.request(read, attempt)).status, 200);
      const [head = '', claims = '', signature = ''] = state.forms[0]?.get('assertion')?.split('.') ?? [];
      const key = { key: pair.publicKey, dsaEncoding: 'ieee-p1363' } as const;
      assert.ok(verify('sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url')));
      assert.deepEqual(JSON.parse(Buffer.from(head, 'base64url').toString()), { alg: algorithm, typ: 'JWT' });
      const { jti, ...rest } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
      const iat = clock.now() / 1000;
      assert.equal(typeof jti, 'string');
      assert.deepEqual(rest, { iss: 'client', sub: 'user@example.com', aud: 'https://login.example', iat, exp: iat + 180 });
    });
  }

  it('a key of another kind, or none, is a config error without a piece of it', async () => {
    const { server } = await startOwner();
    await using _server = server;
    for (const key of [pem(ec.privateKey), 'CANARY', rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()]) {
      await using client = clientOf(server.url, { settings: { auth: settings(server, 'RS256', key) } });
      await assert.rejects(
        client.request(read, attempt),
        failsWith('config', ({ message }) => {
          assert.match(message, /private_key is not an RSA key/);
          assert.doesNotMatch(message, /CANARY|BEGIN/);
        }),
      );
    }
  });
});

describe('auth settings', () => {
  it('say what is missing', () => {
    const wrong = [
      { type: 'oauth2', grant: 'refresh_token', token_url: 'x', client_id: 'x', client_secret: 'x' },
      { type: 'api-key', value: 'x' },
      { type: 'api-key', value: 'x', header: 'x', query: 'x' },
      { type: 'bearer' },
      { type: 'none' },
    ];
    for (const auth of wrong) assert.equal(authSettings.safeParse(auth).success, false, JSON.stringify(auth));
  });
});
