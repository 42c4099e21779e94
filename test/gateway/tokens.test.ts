import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import { isSecretOf, newToken, parseToken } from '../../gateway/access/tokens.ts';
import { until } from '../workflows/until.ts';
import { openServer, type AccessServer } from './access-kit.ts';

describe('tokens of the gateway', () => {
  it('have a form that scanners find, an id, and a secret of 256 bits of which the hash alone is kept', () => {
    const made = newToken();
    assert.match(made.token, /^mr_[0-9A-Za-z]{13}_[0-9A-Za-z]{43}$/);
    const parsed = parseToken(made.token) ?? assert.fail('not parsed');
    assert.equal(parsed.id, made.id);
    assert.equal(made.hash, createHash('sha256').update(parsed.secret).digest('hex'));
    const many = Array.from({ length: 500 }, newToken);
    assert.equal(new Set(many.map(({ id }) => id)).size, 500);
    assert.equal(new Set(many.map(({ hash }) => hash)).size, 500);
  });

  it('fit a secret to its own hash, and to no other or none', () => {
    const { token, hash } = newToken();
    const { secret } = parseToken(token) ?? assert.fail('not parsed');
    assert.equal(isSecretOf(secret, hash), true);
    for (const other of [newToken().hash, undefined, '', '00'.repeat(32), hash.slice(2), `${hash}00`]) {
      assert.equal(isSecretOf(secret, other), false, other);
    }
  });

  it('are compared in constant time', async () => {
    const source = String(isSecretOf);
    assert.match(source, /timingSafeEqual/);
    assert.doesNotMatch(source, /===? ?hash\b/);
  });

  describe('at a server', () => {
    let server: AccessServer;
    before(async () => (server = await openServer()));
    after(async () => await server[Symbol.asyncDispose]());

    /** Sends the header lines just as they are. */
    const raw = async (path: string, headers: readonly string[]): Promise<{ status: number | undefined; challenge: string | undefined }> =>
      await new Promise((resolve, reject) => {
        const request = http.get(`${server.url}${path}`, { agent: false, headers: [...headers] }, (answer) => {
          answer.resume();
          resolve({ status: answer.statusCode, challenge: answer.headers['www-authenticate'] });
        });
        request.on('error', reject);
      });

    it('tell who asks', async () => {
      const token = server.books.add({ claims: { region: 'eu', other: 1 } });
      const { status, body } = await server.ask('/api/customers', token);
      assert.equal(status, 200);
      assert.deepEqual(body['caller'], {
        id: `token:${token.split('_')[1]}`,
        role: 'support',
        scopes: ['api'],
        claims: { region: 'eu', other: 1 },
        identity: '["support",["region","eu"]]',
      });
    });

    it('are looked up once in half a second, however many ask', async () => {
      const token = server.books.add();
      const before = server.books.lookups;
      const since = performance.now();
      const answers = await Promise.all(Array.from({ length: 40 }, async () => await server.ask('/api/customers', token)));
      assert.ok(answers.every(({ status }) => status === 200));
      const lookups = server.books.lookups - before;
      assert.ok(lookups >= 1 && lookups <= 1 + (performance.now() - since) / 500, `${lookups}`);
    });

    it('that were revoked are refused within a second', async () => {
      const token = server.books.add();
      assert.equal((await server.ask('/api/customers', token)).status, 200);
      server.books.change(token, { revokedAt: new Date() });
      const since = performance.now();
      let asked = since;
      await until(async () => {
        const begun = performance.now();
        const isRefused = (await server.ask('/api/customers', token)).status === 401;
        if (!isRefused) asked = begun;
        return isRefused;
      }, 'refusal');
      assert.ok(asked - since < 1_000, 'who asked later was let in');
    });

    it('that have expired are refused at that moment, also while they are kept', async () => {
      const expired = server.books.add({ expiresAt: new Date(Date.now() - 1) });
      const { status, headers, body } = await server.ask('/api/customers', expired);
      assert.equal(status, 401);
      assert.equal(body['detail'], 'The token has expired.');
      assert.equal(headers.get('www-authenticate'), 'Bearer realm="millrace", error="invalid_token"');
      const soon = server.books.add({ expiresAt: new Date(Date.now() + 1_000) });
      assert.equal((await server.ask('/api/customers', soon)).status, 200);
      await until(async () => (await server.ask('/api/customers', soon)).status === 401, 'end of the token');
    });

    it('are answered alike when the id is unknown and when the secret is wrong', async () => {
      const [, id] = server.books.add().split('_');
      const wrong = await server.ask('/api/customers', `mr_${id}_${'a'.repeat(43)}`);
      const unknown = await server.ask('/api/customers', newToken().token);
      assert.equal(wrong.status, 401);
      assert.deepEqual({ ...wrong.body, id: '' }, { ...unknown.body, id: '' });
      assert.equal(wrong.headers.get('www-authenticate'), unknown.headers.get('www-authenticate'));
    });

    it('count in the header only: not in the query, a cookie or another header', async () => {
      const token = server.books.add();
      for (const query of ['token', 'access_token', 'authorization', 'api_key', 'key']) {
        assert.equal((await server.ask(`/api/customers?${query}=${token}`)).status, 401);
        assert.equal((await server.ask(`/api/customers?${query}=Bearer%20${token}`)).status, 401);
      }
      const others = { cookie: `token=${token}`, 'x-api-key': token, 'proxy-authorization': `Bearer ${token}` };
      assert.equal((await server.ask('/api/customers', undefined, others)).status, 401);
    });

    it('are not taken from one of two headers', async () => {
      const token = server.books.add();
      const bearer = `Bearer ${token}`;
      assert.equal((await raw('/api/customers', ['Host', 'x', 'Authorization', bearer])).status, 200);
      assert.equal((await raw('/api/customers', ['Host', 'x', 'Authorization', bearer, 'Authorization', bearer])).status, 400);
      assert.equal((await raw('/api/customers', ['Host', 'x', 'authorization', bearer, 'AUTHORIZATION', 'Bearer x'])).status, 400);
    });

    it('without one the answer says what is needed', async () => {
      const { status, challenge } = await raw('/api/customers', ['Host', 'x']);
      assert.deepEqual([status, challenge], [401, 'Bearer realm="millrace"']);
    });

    it('nobody is let in while the books are away, but for half a second those known just now', async () => {
      await using other = await openServer();
      const token = other.books.add();
      assert.equal((await other.ask('/api/customers', token)).status, 200);
      other.books.isAway = true;
      await until(async () => (await other.ask('/api/customers', token)).status === 503, 'refusal');
      const { headers, body } = await other.ask('/api/customers', newToken().token);
      assert.equal(headers.get('retry-after'), '1');
      assert.match(String(body['detail']), /the warehouse that has them does not answer\. Try again; JWTs, and posts that are signed/);
      assert.equal((await other.ask('/public')).status, 200);
      other.books.isAway = false;
      assert.equal((await other.ask('/api/customers', token)).status, 200);
    });

    it('a thousand bad ones from an address are refused unseen after twenty; those that were good lately go on', async () => {
      await using other = await openServer();
      const good = other.books.add();
      assert.equal((await other.ask('/api/customers', good)).status, 200);
      const statuses: number[] = [];
      for (let no = 0; no < 1_000; no += 50) {
        const some = Array.from({ length: 50 }, async () => (await other.ask('/api/customers', newToken().token)).status);
        statuses.push(...(await Promise.all(some)));
      }
      const refused = statuses.filter((status) => status === 401).length;
      assert.equal(statuses.filter((status) => status === 429).length, 1_000 - refused);
      assert.ok(refused >= 20 && refused <= 70, `${refused}`);
      assert.ok(other.books.lookups <= 75);
      const fresh = await other.ask('/api/customers', other.books.add());
      assert.equal(fresh.status, 429);
      assert.ok(Number(fresh.headers.get('retry-after')) > 0);
      assert.equal((await other.ask('/api/customers', good)).status, 200);
    });

    it('that were real once close no address, however often they are shown', async () => {
      await using other = await openServer();
      const revoked = other.books.add({ revokedAt: new Date() });
      for (let no = 0; no < 30; no++) assert.equal((await other.ask('/api/customers', revoked)).status, 401);
      assert.equal((await other.ask('/api/customers', other.books.add())).status, 200);
    });

    const hostile: Readonly<Record<string, string>> = {
      'no scheme': 'mr_aaaaaaaaaaaaa_bbb',
      Basic: 'Basic bXI6eA==',
      'an empty bearer': 'Bearer ',
      'two words': 'Bearer a b',
      'a token of its form, longer': `Bearer ${newToken().token}x`,
      'a truncated token': `Bearer ${newToken().token.slice(0, -1)}`,
      'a prefix alone': 'Bearer mr_',
      'SQL as id': `Bearer mr_'OR'1'='1_${'a'.repeat(43)}`,
      'a huge token': `Bearer mr_aaaaaaaaaaaaa_${'a'.repeat(9_000)}`,
      'dots alone': 'Bearer ..',
      'a JWT where none are taken': 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.',
    };
    it('in no form that is none are looked up', async () => {
      await using other = await openServer();
      for (const [name, authorization] of Object.entries(hostile)) {
        const { status } = await other.ask('/api/customers', undefined, { authorization });
        assert.equal(status, 401, name);
      }
      assert.equal(other.books.lookups, 0);
    });
  });
});
