import assert from 'node:assert/strict';
import { mostGroups } from '../../gateway/groups.ts';
import { openTestGateway, type TestGateway } from '../gateway-kit.ts';

describe('the gateway: groups of rows', () => {
  let gateway: TestGateway;
  let token: string;
  before(async () => {
    gateway = await openTestGateway({
      tables: `CREATE TABLE marts.numbers (n int PRIMARY KEY, words text[]);
        INSERT INTO marts.numbers SELECT n, ARRAY['[', '{"', n::text] FROM generate_series(0, ${mostGroups}) n`,
      apis: { numbers: { dataset: 'marts.numbers', key: 'n', roles: { reader: { fields: 'all' } } } },
    });
    token = await gateway.token({ role: 'reader' });
  });
  after(async () => await gateway[Symbol.asyncDispose]());

  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any form
  const graphql = async (query: string): Promise<{ readonly data?: any; readonly errors?: readonly { readonly message: string }[] }> =>
    (await gateway.post('/graphql', { query }, { token })).json;

  it('are all there, or the request is refused: none is missing unnoticed, over REST', async () => {
    const all = await gateway.get('/aggregate/numbers?group=n&n[gt]=0', { token });
    assert.equal(all.json.data.length, mostGroups);
    const more = await gateway.get('/aggregate/numbers?group=n', { token });
    assert.equal(more.status, 400);
    assert.match(JSON.stringify(more.json), /gives more than 1000 groups: filter rows, or group by less/);
    // A name of one letter is near to every other one.
    const wrong = await gateway.get('/aggregate/numbers?q=1', { token });
    assert.match(JSON.stringify(wrong.json), /is no parameter here: it takes measures, group, and columns to filter by/);
  });

  it('are all there, or the request is refused, over GraphQL, where they may stand beside others', async () => {
    const all = await graphql('{ numbersAggregate(groupBy: [n], filter: { n: { gt: 0 } }) { count } }');
    assert.equal(all.data.numbersAggregate.length, mostGroups);
    const pages = `a: numbers(first: 300) { nodes { words } edges { cursor } } b: numbersAggregate { count }`;
    const beside = await graphql(`{ ${pages} c: numbersAggregate(groupBy: [n], filter: { n: { gt: 0 } }) { count } }`);
    assert.deepEqual([beside.errors, beside.data.c.length, beside.data.b], [undefined, mostGroups, [{ count: mostGroups + 1 }]]);
    const { errors = [] } = await graphql(`{ ${pages} c: numbersAggregate(groupBy: [n]) { count } }`);
    assert.match(errors[0]?.message ?? '', /gives more than 1000 groups: filter rows, group by less, or say how many by "first"/);
  });

  it('are the first ones where it is said how many', async () => {
    const { data } = await graphql('{ numbersAggregate(groupBy: [n], first: 3) { group { n } } }');
    assert.deepEqual(data.numbersAggregate, [{ group: { n: 0 } }, { group: { n: 1 } }, { group: { n: 2 } }]);
  });
});
