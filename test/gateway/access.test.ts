import assert from 'node:assert/strict';
import { networkOf } from '../../gateway/access/addresses.ts';
import { identities } from '../../gateway/access/identity.ts';
import { isScope } from '../../gateway/access/scopes.ts';
import { viewFor, viewsFor } from '../../gateway/access/views.ts';
import type { Caller } from '../../gateway/caller.ts';
import type { Catalog } from '../../gateway/catalog.ts';
import { Problem } from '../../gateway/problem.ts';
import { createServer } from '../../gateway/server.ts';
import { apiOf, publishedApi, definitionOf, openServer, silent, type AccessServer } from './access-kit.ts';

const ingest = (name: string, settings: object) => ({
  connection: { name, type: 'ingest', settings: { type: 'ingest', ...settings } },
  pipelines: [],
});

describe('access to the gateway', () => {
  describe('a token’s scopes', () => {
    let server: AccessServer;
    before(async () => (server = await openServer()));
    after(async () => await server[Symbol.asyncDispose]());

    const paths = [
      '/api/customers',
      '/api/orders',
      '/graphql',
      '/changes',
      '/ingest/clicks',
      '/ingest/views',
      '/trigger/refresh',
      '/trigger/other',
    ];
    const allowed: Readonly<Record<string, readonly string[]>> = {
      '': [],
      api: ['/api/customers', '/api/orders', '/graphql'],
      'api:customers': ['/api/customers', '/graphql'],
      changes: ['/changes'],
      ingest: ['/ingest/clicks', '/ingest/views'],
      'ingest:clicks': ['/ingest/clicks'],
      trigger: [],
      'trigger:refresh': ['/trigger/refresh'],
      'API api: :customers *': [],
      'api:customers ingest:views changes': ['/api/customers', '/graphql', '/ingest/views', '/changes'],
      'constructor __proto__ toString': [],
    };
    for (const [scopes, open] of Object.entries(allowed)) {
      it(`"${scopes}" opens ${open.join(', ') || 'nothing'}; else the scope that is missing is named`, async () => {
        const token = server.books.add({ scopes: scopes.split(' ') });
        for (const path of paths) {
          const { status, body, headers } = await server.ask(path, token);
          assert.equal(status, open.includes(path) ? 200 : 403, path);
          if (status === 200) continue;
          const scope = path === '/graphql' ? 'api' : path.slice(1).replace('/', ':');
          assert.equal(body['detail'], `The token lacks the scope "${scope}".`);
          assert.equal(headers.get('www-authenticate'), `Bearer realm="millrace", error="insufficient_scope", scope="${scope}"`);
        }
      });
    }

    it('names out of paths come into no header', async () => {
      const token = server.books.add({ scopes: ['changes'] });
      for (const name of ['a%22b', 'a%0d%0aset-cookie:x', '%00', 'x'.repeat(100), 'ü']) {
        const { status, headers } = await server.ask(`/api/${name}`, token);
        assert.deepEqual(
          [status, headers.get('www-authenticate')],
          [403, 'Bearer realm="millrace", error="insufficient_scope", scope="api"'],
          name,
        );
      }
    });

    it('public routes and pages ask for none', async () => {
      for (const path of ['/public', '/page']) assert.deepEqual((await server.ask(path)).body, { caller: null });
      assert.equal((await server.ask('/public', 'nonsense')).status, 200);
    });

    it('a route that names no access is closed to all', async () => {
      assert.equal((await server.ask('/forgotten')).status, 500);
      assert.equal((await server.ask('/forgotten', server.books.add())).status, 500);
    });

    it('a path that is none says so without a token', async () => assert.equal((await server.ask('/nowhere')).status, 404));

    it('a token without a role may not read, but post', async () => {
      const token = server.books.add({ role: undefined, scopes: ['api', 'ingest'] });
      assert.equal((await server.ask('/api/customers', token)).status, 403);
      assert.equal((await server.ask('/ingest/clicks', token)).status, 200);
    });

    it('a role that the project doesn’t have opens nothing', async () => {
      const token = server.books.add({ role: 'gone', scopes: ['api', 'changes', 'ingest'] });
      for (const path of ['/api/customers', '/changes', '/ingest/clicks']) {
        const { status, body } = await server.ask(path, token);
        assert.deepEqual([status, body['title']], [403, 'Role unknown']);
      }
      assert.equal((await server.ask('/api/customers', server.books.add({ role: 'toString' }))).status, 403);
    });
  });

  it('scopes are those that routes ask for', () => {
    for (const scope of ['api', 'api:customers', 'changes', 'ingest', 'ingest:a-b.c', 'trigger:x']) assert.ok(isScope(scope), scope);
    for (const scope of ['trigger', 'changes:x', 'openid', 'api:', 'api:a b', 'ingest:"', '', `api:${'x'.repeat(64)}`])
      assert.ok(!isScope(scope), scope);
  });

  describe('without a token', () => {
    it('the role anonymous reads where an API has it, and does nothing else', async () => {
      const everybody = { anonymous: { fields: 'all', mask: {} } } as const;
      await using server = await openServer({ definition: definitionOf({ apis: [apiOf('films', everybody)] }) });
      const { status, body } = await server.ask('/api/films');
      assert.equal(status, 200);
      assert.deepEqual(body['caller'], {
        id: 'anonymous:127.0.0.1',
        role: 'anonymous',
        scopes: ['api'],
        claims: {},
        identity: '["anonymous"]',
      });
      for (const path of ['/changes', '/ingest/clicks', '/trigger/x']) assert.equal((await server.ask(path)).status, 401, path);
      assert.equal((await server.ask('/api/films', 'mr_bad')).status, 401);
    });

    it('a signature may stand for it where the project file says so, and there alone', async () => {
      const definition = definitionOf({
        ingests: [ingest('github', { verify: { kind: 'github', secret: 's' } }), ingest('clicks', {})],
        triggers: [
          { name: 'deploy', run: 'etl', verify: { kind: 'hmac', secret: 's' } },
          { name: 'plain', run: 'etl' },
        ],
      });
      await using server = await openServer({ definition });
      for (const path of ['/ingest/github', '/trigger/deploy']) {
        const { status, body } = await server.ask(path);
        assert.equal(status, 200, path);
        const scope = path.slice(1).replace('/', ':');
        assert.deepEqual(body['caller'], { id: `signed:${scope}`, scopes: [scope], claims: {}, identity: '' });
        assert.equal((await server.ask(path, 'mr_bad')).status, 401);
      }
      for (const path of ['/ingest/clicks', '/trigger/plain', '/api/github']) assert.equal((await server.ask(path)).status, 401, path);
    });
  });

  describe('identity', () => {
    const { identityOf } = { identityOf: identities(definitionOf()) };

    it('is equal for claims that no rule of the role uses, in any order', () => {
      assert.equal(identityOf('support', { region: 'eu', sub: 'a' }), identityOf('support', { sub: 'b', region: 'eu', team: 1 }));
      assert.equal(identityOf('support', { region: { b: 1, a: [2] } }), identityOf('support', { region: { a: [2], b: 1 } }));
    });

    it('differs for what decides on rows', () => {
      const all = [
        identityOf('support', { region: 'eu' }),
        identityOf('support', { region: 'us' }),
        identityOf('support', { region: ['eu'] }),
        identityOf('support', { region: 1 }),
        identityOf('support', { region: '1' }),
        identityOf('support', { region: null }),
        identityOf('support', { region: 'eu","x' }),
        identityOf('support', {}),
        identityOf('analyst', { team: 'eu' }),
        identityOf('analyst', {}),
        identityOf(undefined, {}),
      ];
      assert.equal(new Set(all).size, all.length);
    });

    it('takes no claim from a prototype', () =>
      assert.equal(identityOf('support', Object.create({ region: 'eu' })), identityOf('support', {})));
  });

  describe('views', () => {
    const caller = (role: string | undefined, scopes: readonly string[] = ['api']): Caller => ({
      id: 'token:x',
      role,
      scopes,
      claims: {},
      identity: '',
    });
    const definition = definitionOf({
      apis: [apiOf('customers', { support: { fields: 'all', mask: {} } }), apiOf('secrets', { owner: { fields: 'all', mask: {} } })],
    });
    const published = definition.apis.map((api) => publishedApi(api));
    const catalog = (generation = 1): Catalog & { generation: number } => ({
      generation,
      apis: published,
      api: (name) => published.find((one) => one.definition.name === name),
    });

    it('are the same object for a role until a shape changes', () => {
      const changing = catalog();
      const first = viewFor({ catalog: changing, definition }, 'customers', caller('support'));
      assert.equal(viewFor({ catalog: changing, definition }, 'customers', caller('support', ['api:customers'])), first);
      changing.generation++;
      assert.notEqual(viewFor({ catalog: changing, definition }, 'customers', caller('support')), first);
    });

    it('of a hidden API and of none are refused in the same words', () => {
      const problems = [
        ['secrets', 'support'],
        ['nothing', 'support'],
        ['__proto__', 'support'],
        ['customers', undefined],
        ['customers', 'constructor'],
      ].map(([name = '', role]) => {
        try {
          return viewFor({ catalog: catalog(), definition }, name, caller(role));
        } catch (error) {
          return error instanceof Problem ? [error.status, error.title, error.message, error.headers] : error;
        }
      });
      for (const problem of problems) assert.deepEqual(problem, [404, 'Not found', 'There is no API of that name here.', {}]);
    });

    it('of an API that waits for its dataset says so, to roles that have a part in it alone', () => {
      const empty: Catalog = { generation: 1, apis: [], api: () => undefined };
      const refusal = (name: string, role: string): unknown => {
        try {
          return viewFor({ catalog: empty, definition }, name, caller(role));
        } catch (error) {
          return error instanceof Problem ? [error.status, error.title, error.message] : error;
        }
      };
      const [status, title, message] = [refusal('customers', 'support')].flat();
      assert.deepEqual([status, title], [404, 'Not published yet']);
      assert.match(
        String(message),
        /^The API customers is not published yet: its dataset \S+ is not in the warehouse .* within seconds of its first load/,
      );
      assert.deepEqual(refusal('secrets', 'support'), [404, 'Not found', 'There is no API of that name here.']);
    });

    it('want the scope of their API, whether it is there or not', () => {
      for (const name of ['customers', 'secrets', 'nothing']) {
        assert.throws(() => viewFor({ catalog: catalog(), definition }, name, caller('support', ['api:other'])), { status: 403 }, name);
      }
    });

    it('all of a caller’s are those of role and scopes', () => {
      const names = (of: Caller): readonly string[] => viewsFor({ catalog: catalog() }, of).map(({ name }) => name);
      assert.deepEqual(names(caller('support')), ['customers']);
      assert.deepEqual(names(caller('support', ['api:secrets'])), []);
      assert.deepEqual(names(caller('owner', ['api:secrets'])), ['secrets']);
      assert.deepEqual(names(caller(undefined)), []);
    });
  });

  it('behind a proxy the address is the one that the proxy saw, not one that the caller makes up', async () => {
    for (const behindProxy of [true, false]) {
      const { server } = createServer({ behindProxy, bodyBytes: 1_000 }, undefined, silent);
      server.get('/ip', { config: { access: { kind: 'public' } } }, (request, reply) => reply.send({ ip: request.ip }));
      const headers = { 'x-forwarded-for': '1.2.3.4, 10.9.8.7' };
      const { body } = await server.inject({ url: '/ip', headers, remoteAddress: '127.0.0.1' });
      assert.deepEqual(JSON.parse(body), { ip: behindProxy ? '10.9.8.7' : '127.0.0.1' });
      await server.close();
    }
  });

  it('networks: an IPv4 address, or the /64 of an IPv6 one', () => {
    const expected = {
      '127.0.0.1': '127.0.0.1',
      '::ffff:10.0.0.1': '10.0.0.1',
      '::1': '0:0:0:0::/64',
      '2001:db8::1': '2001:db8:0:0::/64',
      '2001:0DB8:0:0:1:2:3:4': '2001:db8:0:0::/64',
      '2001:db8:0:1::': '2001:db8:0:1::/64',
      'fe80::1%eth0': 'fe80:0:0:0::/64',
    };
    for (const [address, network] of Object.entries(expected)) assert.equal(networkOf(address), network, address);
  });
});
