import assert from 'node:assert/strict';
import { openTestGateway, type TestGateway } from '../gateway-kit.ts';

const customers = `
  CREATE TABLE marts.customers (id bigint PRIMARY KEY, name text, region text);
  INSERT INTO marts.customers VALUES (1, 'Ada', 'EU'), (2, 'Grace', 'US'), (9007199254740993, 'Alan', 'EU');`;

describe('the server of the gateway', () => {
  let gateway: TestGateway;
  let token: string;

  before(async () => {
    gateway = await openTestGateway({
      tables: customers,
      apis: { customers: { dataset: 'marts.customers', key: 'id', roles: { support: { fields: 'all' } } } },
    });
    token = await gateway.token({ role: 'support' });
  });
  after(async () => await gateway[Symbol.asyncDispose]());

  it('answers a list with the rows of its table', async () => {
    const { status, json } = await gateway.get('/api/customers', { token });
    assert.equal(status, 200);
    assert.deepEqual(
      json.data.map(({ id }: { id: string }) => id),
      ['1', '2', '9007199254740993'],
    );
  });
});
