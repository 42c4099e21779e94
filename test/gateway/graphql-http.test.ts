import assert from 'node:assert/strict';
import { auditServer } from 'graphql-http';
import { until } from '../gateway-kit.ts';
import { openShop, type Shop } from './graphql-kit.ts';

const query = '{ customersByKey(customer_id: "2") { name } }';
const answered = { data: { customersByKey: { name: 'Name 2' } } };

describe('GraphQL over HTTP', () => {
  let shop: Shop;
  let token: string;
  before(async () => {
    shop = await openShop({
      apis: {
        customers: { dataset: 'marts.customers', key: 'customer_id', roles: { analyst: { fields: 'all' } }, cache: { ttl: '60s' } },
        gone: { dataset: 'marts.notes', key: 'text', roles: { analyst: { fields: 'all' } } },
        few: { dataset: 'marts.items', key: ['order_id', 'line'], rate: '2/hour', roles: { analyst: { fields: 'all' } } },
      },
    });
    token = await shop.token({ role: 'analyst' });
  });
  after(async () => await shop[Symbol.asyncDispose]());

  const addressOf = (parameters: Readonly<Record<string, string>>): string => `/graphql?${new URLSearchParams(parameters).toString()}`;

  it('passes the audit of the specification', async () => {
    const results = await auditServer({
      url: `${shop.address}/graphql`,
      fetchFn: async (url: string, options: RequestInit = {}) => {
        const headers = new Headers(options.headers);
        headers.set('authorization', `Bearer ${token}`);
        return await fetch(url, { ...options, headers });
      },
    });
    assert.ok(results.length > 50);
    assert.deepEqual(
      results.flatMap((result) => (result.status === 'ok' ? [] : [`${result.name}: ${result.reason}`])),
      [],
    );
  });

  it('takes queries of an address, with variables and a name', async () => {
    const { status, json, headers } = await shop.get(
      addressOf({
        query: 'query A($id: BigInt!) { customersByKey(customer_id: $id) { name } } query B { __typename }',
        operationName: 'A',
        variables: '{"id":"2"}',
      }),
      { token },
    );
    assert.deepEqual([status, json], [200, answered]);
    assert.match(headers.get('cache-control') ?? '', /private/);
  });

  it('says when an answer is the one that the client has', async () => {
    const first = await shop.get(addressOf({ query }), { token });
    const etag = first.headers.get('etag') ?? '';
    assert.match(etag, /^".+"$/);
    const again = await shop.get(addressOf({ query }), { token, headers: { 'if-none-match': etag } });
    assert.deepEqual([again.status, again.text], [304, '']);
  });

  it('keeps an answer until a commit to what it reads', async () => {
    const name = async (): Promise<string> => (await shop.post('/graphql', { query }, { token })).json.data.customersByKey.name;
    assert.equal(await name(), 'Name 2');
    await shop.sql("UPDATE marts.customers SET name = 'Changed' WHERE customer_id = 2");
    assert.equal(await name(), 'Name 2');
    await shop.announce('marts.customers');
    await until(async () => (await name()) === 'Changed');
    await shop.sql("UPDATE marts.customers SET name = 'Name 2' WHERE customer_id = 2");
    await shop.announce('marts.customers');
  });

  it('takes no type of body that a form of another site could send, and no list of queries', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/graphql']) {
      const { status } = await shop.post('/graphql', JSON.stringify({ query }), { token, headers: { 'content-type': type } });
      assert.equal(status, 415, type);
    }
    assert.equal((await shop.post('/graphql', [{ query }, { query }], { token })).status, 400);
    assert.equal((await shop.post('/graphql', '{"query":', { token, headers: { 'content-type': 'application/json' } })).status, 400);
    assert.equal((await shop.get(addressOf({ query: 'mutation { __typename }' }), { token })).status, 405);
    assert.equal((await shop.get(addressOf({ query, variables: '{' }), { token })).status, 400);
    assert.equal((await shop.get('/graphql', { token })).status, 400);
    assert.equal((await shop.get(addressOf({ query }), { token, headers: { accept: 'text/csv' } })).status, 406);
    const big = JSON.stringify({ query, variables: { x: 'x'.repeat(2_000_000) } });
    assert.equal((await shop.post('/graphql', big, { token, headers: { 'content-type': 'application/json' } })).status, 413);
  });

  it('asks who it is', async () => {
    for (const bad of [undefined, 'mr_x_y']) {
      const { status, json, headers } = await shop.post('/graphql', { query }, bad === undefined ? {} : { token: bad });
      assert.equal(status, 401);
      assert.match(headers.get('www-authenticate') ?? '', /Bearer/);
      assert.equal(json.errors[0].extensions.code, 'UNAUTHORIZED');
    }
    const nobody = await shop.token({ role: 'nobody' });
    assert.equal((await shop.post('/graphql', { query }, { token: nobody })).status, 403);
  });

  it('says what is wrong with a message, a place and a code, and nothing more', async () => {
    const { status, json } = await shop.post(
      '/graphql',
      { query: '{ customers(first: 9999) { totalCount } }' },
      { token, headers: { accept: 'application/graphql-response+json' } },
    );
    assert.equal(status, 400);
    assert.deepEqual(json, {
      errors: [{ message: '"first" must be from 0 to 1000.', locations: [{ line: 1, column: 3 }], extensions: { code: 'BAD_USER_INPUT' } }],
    });
  });

  it('counts requests for each API, and refuses those that are too many', async () => {
    const few = async () => await shop.post('/graphql', { query: '{ few(first: 1) { nodes { product } } }' }, { token });
    const first = await few();
    assert.equal(first.status, 200);
    assert.match(first.headers.get('ratelimit') ?? '', /r=1/);
    await few();
    const third = await few();
    assert.equal(third.status, 429);
    assert.ok(Number(third.headers.get('retry-after')) > 0);
    assert.equal(third.json.errors[0].extensions.code, 'TOO_MANY_REQUESTS');
  });

  it('follows columns that come and go, and says no SQL', async () => {
    const asked = '{ gone(first: 1) { nodes { text } } }';
    assert.equal((await shop.post('/graphql', { query: asked }, { token })).status, 200);
    await shop.sql('ALTER TABLE marts.notes DROP COLUMN written');
    const after = await shop.post('/graphql', { query: '{ gone(first: 1) { nodes { text written } } }' }, { token });
    assert.ok(after.status === 200 || after.status === 503);
    assert.doesNotMatch(after.text, /SELECT|relation|stack/i);
    assert.equal((await shop.post('/graphql', { query: asked }, { token })).status, 200);
  });
});
