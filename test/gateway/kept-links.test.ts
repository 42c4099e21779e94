import assert from 'node:assert/strict';
import { openTestGateway, until, type TestGateway } from '../gateway-kit.ts';

const tables = `
  CREATE TABLE marts.customers (id bigint PRIMARY KEY, region text);
  INSERT INTO marts.customers SELECT i, (ARRAY['EU', 'US'])[1 + i % 2] FROM generate_series(1, 10) i;`;

const roles = { support: { fields: 'all', rows: 'region = ${claim:region}' }, analyst: { fields: 'all' } };
const apis = { customers: { dataset: 'marts.customers', key: 'id', roles, cache: { ttl: '1 hour', until: 'load' } } };

describe('the link of a kept answer', () => {
  let gateway: TestGateway;
  let analyst: string;

  before(async () => {
    gateway = await openTestGateway({ tables, apis });
    analyst = await gateway.token({ role: 'analyst' });
  });
  after(async () => await gateway?.[Symbol.asyncDispose]());

  const linkOf = async (path: string, token = analyst, headers: Record<string, string> = {}): Promise<string | null> =>
    (await gateway.get(path, { token, headers })).headers.get('link');

  /** Ids of the page that a link leads to. */
  const pageAt = async (link: string | null, token = analyst): Promise<readonly unknown[]> => {
    const [, address = ''] = /^<([^>]+)>; rel="next"$/.exec(link ?? '') ?? [];
    return (await gateway.get(address, { token })).json.data.map(({ id }: { readonly id: unknown }) => id);
  };

  it('is the one of the answer when it was new, also for HEAD and for who has the answer', async () => {
    const path = '/api/customers?limit=2';
    const fresh = await gateway.get(path, { token: analyst });
    const link = fresh.headers.get('link');
    assert.equal(await linkOf(path), link);
    assert.equal(await linkOf(path, analyst, { 'if-none-match': fresh.headers.get('etag') ?? '' }), link);
    const head = await fetch(`${gateway.address}${path}`, { method: 'HEAD', headers: { authorization: `Bearer ${analyst}` } });
    assert.equal(head.headers.get('link'), link);
    assert.deepEqual(await pageAt(link), await pageAt(await linkOf(path)));
  });

  it('has the parameters of its own address, however the same is written', async () => {
    const written = ['/api/customers?limit=3&sort=id', '/api/customers?sort=id&limit=3', '/api/custom%65rs?limit=3&sort=id'];
    for (const path of [...written, ...written]) assert.ok((await linkOf(path))?.startsWith(`<${path}&cursor=`), path);
  });

  it('is none where there is no page after', async () => {
    for (const _ of [1, 2]) assert.equal(await linkOf('/api/customers?limit=10'), null);
  });

  it("leads to the caller's own rows", async () => {
    const path = '/api/customers?limit=1';
    const [eu, us] = [
      await gateway.token({ role: 'support', claims: { region: 'EU' } }),
      await gateway.token({ role: 'support', claims: { region: 'US' } }),
    ];
    for (const _ of [1, 2]) {
      assert.deepEqual(await pageAt(await linkOf(path, eu), eu), ['4']);
      assert.deepEqual(await pageAt(await linkOf(path, us), us), ['3']);
    }
  });

  it('ends with the answer', async () => {
    const path = '/api/customers?limit=9';
    assert.notEqual(await linkOf(path), null);
    await gateway.sql('DELETE FROM marts.customers WHERE id = 10');
    await gateway.announce('marts.customers');
    await until(async () => (await linkOf(path)) === null);
  });
});
