import assert from 'node:assert/strict';
import { openShop, shopApis, type Shop } from './graphql-kit.ts';

describe('GraphQL and what a role sees', () => {
  let shop: Shop;
  let support: string;
  before(async () => {
    shop = await openShop({
      apis: { ...shopApis, open: { dataset: 'marts.items', key: ['order_id', 'line'], roles: { anonymous: { fields: ['product'] } } } },
      gateway: { graphql: { graphiql: false } },
    });
    support = await shop.token({ role: 'support', claims: { region: 'EU' } });
  });
  after(async () => await shop[Symbol.asyncDispose]());

  const asSupport = async (query: string, variables?: object) => await shop.graphql(query, variables, { token: support });

  it('answers only the rows of the rule, at every level and in every form', async () => {
    const { data, errors } = await asSupport(`{
      customers(first: 100) { totalCount nodes { region } }
      other: customersByKey(customer_id: 1) { name }
      customersAggregate(groupBy: [region]) { count group { region } }
      orders(first: 80) { nodes { customer { region } } }
    }`);
    assert.equal(errors, undefined);
    assert.equal(data.customers.totalCount, 21);
    assert.ok(data.customers.nodes.every(({ region }: { region: string }) => region === 'EU'));
    assert.equal(data.other, null);
    assert.deepEqual(data.customersAggregate, [{ count: 21, group: { region: 'EU' } }]);
    const regions = data.orders.nodes.map(({ customer }: { customer: { region: string } | null }) => customer?.region ?? null);
    assert.deepEqual(new Set(regions), new Set(['EU', null]));
  });

  const unknown: readonly string[] = [
    '{ customers { nodes { score } } }',
    '{ customers { nodes { notes { text } } } }',
    '{ customers { nodes { secrets { nodes { word } } } } }',
    '{ secrets { nodes { word } } }',
    '{ items { totalCount } }',
    '{ orders { nodes { items { totalCount } } } }',
    '{ customers(filter: { score: { gt: "1" } }) { totalCount } }',
    '{ customers(filter: { email: { eq: "c2@example.org" } }) { totalCount } }',
    '{ customers(sort: [email_ASC]) { totalCount } }',
    '{ customers(sort: [score_ASC]) { totalCount } }',
    '{ customersAggregate(groupBy: [email]) { count } }',
    '{ customersAggregate { max { email } } }',
    '{ customersAggregate { sum { score } } }',
    '{ orders { nodes { customer { profile } } } }',
  ];
  for (const query of unknown)
    it(`doesn't know ${query}`, async () => {
      assert.equal(await shop.refused(query, {}, { token: support }), 'GRAPHQL_VALIDATION_FAILED');
    });

  it('shows nothing else in introspection and in guesses', async () => {
    const { data } = await asSupport('{ __schema { types { name fields { name } inputFields { name } enumValues { name } } } }');
    const text = JSON.stringify(data);
    for (const hidden of ['score', 'notes', 'secret', 'Secrets', 'word', 'items', 'Items', 'profile', 'email_ASC'])
      assert.ok(!text.includes(`${hidden}"`), hidden);
    const customers = data.__schema.types.find(({ name }: { name: string }) => name === 'Customers');
    assert.deepEqual(
      customers.fields.map(({ name }: { name: string }) => name),
      ['customer_id', 'name', 'email', 'region', 'orders'],
    );
    const { errors } = await asSupport('{ customers { nodes { scor wor } } }');
    assert.ok(!/score|word/.test(JSON.stringify(errors)));
  });

  it('shows masked values altered, and takes none of them in', async () => {
    const { data } = await asSupport('{ customersByKey(customer_id: 2) { email } }');
    assert.deepEqual(data, { customersByKey: { email: '***' } });
    const analyst = await shop.graphql('{ customersByKey(customer_id: 2) { email } }');
    assert.match(analyst.data.customersByKey.email, /^[0-9a-f]{64}$/);
  });

  it('refuses a token that lacks the claim of a rule, and says nothing more', async () => {
    const token = await shop.token({ role: 'support' });
    const { status, errors, data } = await shop.graphql('{ orders { nodes { customer { name } } } }', {}, { token });
    assert.equal(status, 403);
    assert.equal(data, undefined);
    assert.equal(errors?.[0]?.extensions.code, 'CLAIM_MISSING');
  });

  it('asks for the scope of each API that is read, but of no other', async () => {
    const token = await shop.token({ role: 'analyst', scopes: ['api:customers'] });
    const { data } = await shop.graphql('{ customers(first: 1) { nodes { name notes { text } } } }', {}, { token });
    assert.equal(data.customers.nodes.length, 1);
    const { status, errors } = await shop.graphql('{ customers { nodes { orders { totalCount } } } }', {}, { token });
    assert.deepEqual([status, errors?.[0]?.extensions.code], [403, 'SCOPE_MISSING']);
  });

  it('refuses cursors of other roles, sorts and APIs', async () => {
    const { data } = await shop.graphql('{ customers(first: 1) { pageInfo { endCursor } } orders(first: 1) { pageInfo { endCursor } } }');
    const own = data.customers.pageInfo.endCursor;
    assert.equal(await shop.refused(`{ customers(after: "${own}") { totalCount } }`, {}, { token: support }), 'BAD_USER_INPUT');
    assert.equal(await shop.refused(`{ customers(after: "${own}", sort: [name_ASC]) { totalCount } }`), 'BAD_USER_INPUT');
    assert.equal(await shop.refused(`{ customers(after: "${data.orders.pageInfo.endCursor}") { totalCount } }`), 'BAD_USER_INPUT');
  });

  it('shows callers without a token what is theirs, and no schema', async () => {
    const anonymous = async (query: string) => (await shop.post('/graphql', { query })).json;
    assert.deepEqual((await anonymous('{ open(first: 1) { nodes { product } } }')).data, { open: { nodes: [{ product: 'p0' }] } });
    const { errors } = await anonymous('{ __schema { types { name } } }');
    assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    const guess = await anonymous('{ ope { totalCount } }');
    assert.doesNotMatch(guess.errors[0].message, /Did you mean|open/);
  });

  it('keeps answers of one role from all others', async () => {
    const query = '{ customers(first: 50) { totalCount nodes { name email } } }';
    const [one, other] = await Promise.all([shop.graphql(query), asSupport(query)]);
    assert.notDeepEqual(one.data, other.data);
    const us = await shop.token({ role: 'support', claims: { region: 'US' } });
    assert.equal((await shop.graphql(query, {}, { token: us })).data.customers.totalCount, 20);
  });
});
