import assert from 'node:assert/strict';
import { newToken } from '../../gateway/access/tokens.ts';
import { openTestGateway, type TestGateway } from '../gateway-kit.ts';

const tables = `
  CREATE TABLE marts.customers (id bigint PRIMARY KEY, region text);
  CREATE TABLE marts.places (name text PRIMARY KEY);
  INSERT INTO marts.places VALUES ('eu');
  INSERT INTO marts.customers VALUES (1, 'eu'), (2, 'us');`;

describe('access to a whole gateway', () => {
  let gateway: TestGateway;
  before(async () => {
    const roles = { support: { fields: 'all', rows: 'region = ${claim:region}' }, analyst: { fields: 'all' } };
    gateway = await openTestGateway({
      tables,
      apis: {
        customers: {
          dataset: 'marts.customers',
          key: 'id',
          relations: { places: { api: 'places', on: { region: 'name' } } },
          roles,
          rate: { support: '3/min', analyst: '100/min' },
        },
        places: { dataset: 'marts.places', key: 'name', roles: { analyst: { fields: 'all' } } },
        hidden: { dataset: 'marts.customers', key: 'id', roles: { owner: { fields: 'all' } } },
      },
    });
  });
  after(async () => await gateway[Symbol.asyncDispose]());

  it('answers tell the limit of the token, and refuse beyond it', async () => {
    const token = await gateway.token({ role: 'support', claims: { region: 'eu' } });
    for (const left of [2, 1, 0]) {
      const { status, headers, json } = await gateway.get('/api/customers', { token });
      assert.equal(status, 200);
      assert.deepEqual(json.data, [{ id: '1', region: 'eu' }]);
      assert.equal(headers.get('ratelimit-policy'), '"token";q=3;w=60');
      assert.match(headers.get('ratelimit') ?? '', new RegExp(`^"token";r=${left};t=\\d+$`));
    }
    const { status, headers, json } = await gateway.get('/api/customers', { token });
    assert.equal(status, 429);
    assert.equal(json.title, 'Too many requests');
    assert.equal(headers.get('content-type'), 'application/problem+json; charset=utf-8');
    assert.ok(Number(headers.get('retry-after')) > 0);
    const other = await gateway.token({ role: 'support', claims: { region: 'us' } });
    assert.equal((await gateway.get('/api/customers', { token: other })).status, 200);
  });

  it('every route that reads wants a token', async () => {
    const tokens = [undefined, 'nonsense', newToken().token];
    for (const token of tokens) {
      const asked = token === undefined ? {} : { token };
      for (const path of ['/api/customers', '/api/customers/1', '/aggregate/customers', '/openapi.json', '/changes']) {
        assert.equal((await gateway.get(path, asked)).status, 401, path);
      }
      assert.equal((await gateway.post('/batch/customers', { keys: ['1'] }, asked)).status, 401);
      assert.equal((await gateway.post('/graphql', { query: '{ __typename }' }, asked)).status, 401);
    }
  });

  it('a token of another scope is refused at every route that reads, in REST as in GraphQL', async () => {
    const token = await gateway.token({ role: 'analyst', scopes: ['api:hidden', 'changes'] });
    for (const path of ['/api/customers', '/api/customers/1', '/aggregate/customers', '/api/nothing']) {
      assert.equal((await gateway.get(path, { token })).status, 403, path);
    }
    assert.equal((await gateway.post('/batch/customers', { keys: ['1'] }, { token })).status, 403);
    const { text } = await gateway.post('/graphql', { query: '{ customers { nodes { id } } }' }, { token });
    assert.ok(!text.includes('"eu"') && !text.includes('"id":"1"'), text);
  });

  it('a token of the scope of one API is refused the relations that lead to another, in REST as in GraphQL', async () => {
    const token = await gateway.token({ role: 'analyst', scopes: ['api:customers'] });
    assert.equal((await gateway.get('/api/customers', { token })).status, 200);
    for (const path of ['/api/customers?include=places', '/api/customers/1?include=places', '/api/customers?include=places&format=csv']) {
      const { status, text } = await gateway.get(path, { token });
      assert.equal(status, 403, path);
      assert.match(text, /api:places/);
    }
    assert.equal((await gateway.post('/batch/customers', { keys: ['1'], include: ['places'] }, { token })).status, 403);
    assert.equal(
      (await gateway.post('/graphql', { query: '{ customers { nodes { places { nodes { name } } } } }' }, { token })).status,
      403,
    );
    const both = await gateway.token({ role: 'analyst', scopes: ['api:customers', 'api:places'] });
    assert.equal((await gateway.get('/api/customers?include=places', { token: both })).status, 200);
  });

  it('an API that is hidden and one that is none are the same to the caller', async () => {
    const token = await gateway.token({ role: 'analyst' });
    const [hidden, none] = [await gateway.get('/api/hidden', { token }), await gateway.get('/api/nothing', { token })];
    assert.deepEqual([hidden.status, hidden.text], [404, none.text]);
    assert.equal(none.status, 404);
  });

  it('exports and refusals are in the audit log once it has closed, in one chain without values', async () => {
    const token = await gateway.token({ role: 'analyst' });
    const id = token.split('_')[1];
    await gateway.get('/api/customers', { token, headers: { accept: 'text/csv' } });
    await gateway.get('/api/customers?region=eu', {});
    await gateway.close();
    assert.ok((await gateway.books.verifyAudit(gateway.definition.project)) > 1);
    const entries = await gateway.sql(`SELECT actor, action, target, result FROM _millrace.audit WHERE project = $1`, [
      gateway.definition.project,
    ]);
    const has = (wanted: object): void =>
      assert.ok(
        entries.some((entry) => JSON.stringify(entry) === JSON.stringify(wanted)),
        JSON.stringify(wanted),
      );
    has({ actor: `token:${id}`, action: 'api.export', target: 'customers', result: 'begun' });
    has({ actor: 'address:127.0.0.1', action: 'request', target: 'GET /api/:name', result: 'unauthorized' });
    assert.ok(!JSON.stringify(entries).includes('region=eu'));
  });
});
