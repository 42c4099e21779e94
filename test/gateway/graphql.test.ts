import assert from 'node:assert/strict';
import { connectorOf } from '../../connectors/registry.ts';
import type { DatasetRequest, DatasetRow } from '../../schema/dataset.ts';
import { openShop, type Shop } from './graphql-kit.ts';

describe('GraphQL', () => {
  let shop: Shop;
  const requests: (DatasetRequest | DatasetRow)[] = [];

  before(async () => {
    shop = await openShop({
      options: {
        openDatasets: async ({ type, name, settings }, options) => {
          const datasets = await connectorOf(type, name).openDatasets(settings, name, options);
          const read = datasets.read.bind(datasets);
          datasets.read = async (request) => {
            requests.push(request);
            return await read(request);
          };
          return datasets;
        },
      },
    });
  });
  after(async () => await shop[Symbol.asyncDispose]());

  it('answers a tree of three levels as SQL would, with one statement', async () => {
    requests.length = 0;
    const { data, errors } = await shop.graphql(`{
      customers(first: 3, sort: [name_DESC], filter: { region: { eq: "EU" } }) {
        totalCount
        nodes { customer_id name
          orders(first: 2, sort: [total_DESC]) { totalCount edges { node { order_id total placed items { nodes { line product amount } } } } } }
      }
      customersAggregate(groupBy: [region]) { count group { region } sum { visits } }
    }`);
    assert.equal(errors, undefined);
    assert.equal(requests.length, 1);
    const [oracle] = await shop.sql(`
      SELECT json_agg(c ORDER BY name DESC) AS nodes FROM (
        SELECT customer_id::text, name, (
          SELECT json_build_object('totalCount', (SELECT count(*) FROM marts.orders t WHERE t.customer_id = c.customer_id),
            'edges', json_agg(json_build_object('node', json_build_object('order_id', order_id::text, 'total', total::text, 'placed', placed,
              'items', (SELECT json_build_object('nodes', json_agg(json_build_object('line', line, 'product', product, 'amount', amount) ORDER BY line))
                        FROM marts.items i WHERE i.order_id = o.order_id))) ORDER BY total DESC))
          FROM (SELECT * FROM marts.orders o WHERE o.customer_id = c.customer_id ORDER BY total DESC, order_id LIMIT 2) o) AS orders
        FROM marts.customers c WHERE region = 'EU' ORDER BY name DESC, customer_id LIMIT 3) c`);
    const instant = (text: string): string => new Date(text).toISOString();
    const same = JSON.parse(JSON.stringify([data.customers.nodes, oracle?.['nodes']]), (key, value: string) =>
      key === 'placed' ? instant(value) : value,
    );
    same[1].forEach((row: { orders: { totalCount: number; edges: unknown[] | null } }) => (row.orders.edges ??= []));
    assert.deepEqual(same[0], same[1]);
    assert.equal(data.customers.totalCount, 21);
    assert.deepEqual(data.customersAggregate, [
      { count: 21, group: { region: 'EU' }, sum: { visits: '40' } },
      { count: 20, group: { region: 'US' }, sum: { visits: '40' } },
    ]);
  });

  it('gives each value as REST does', async () => {
    const columns = 'customer_id name email region plan score joined seen tags profile active referred_by avatar ratio visits';
    const token = await shop.token({ role: 'analyst' });
    const { json } = await shop.get('/api/customers?limit=5', { token });
    const { data } = await shop.graphql(`{ customers(first: 5) { nodes { ${columns} gr__e } } }`);
    for (const [index, row] of json.data.entries()) {
      const { gr__e, ...rest } = data.customers.nodes[index];
      assert.deepEqual({ ...rest, größe: gr__e }, row);
    }
  });

  it('keeps numbers that JavaScript can not hold', async () => {
    const { data } = await shop.graphql(
      'query ($id: BigInt!) { literal: customersByKey(customer_id: 9007199254740993) { customer_id } variable: customersByKey(customer_id: $id) { customer_id name } }',
      { id: '9007199254740993' },
    );
    assert.deepEqual(data, { literal: { customer_id: '9007199254740993' }, variable: { customer_id: '9007199254740993', name: 'Big' } });
    assert.equal(
      await shop.refused('query ($id: BigInt!) { customersByKey(customer_id: $id) { name } }', { id: 9007199254740992 }),
      'BAD_USER_INPUT',
    );
  });

  for (const [first, after, page] of [
    ['first', 'after', 'forward'],
    ['last', 'before', 'backward'],
  ] as const) {
    for (const sort of ['customer_id_ASC', 'plan_ASC', 'plan_DESC', 'region_DESC, visits_ASC', 'score_DESC'])
      it(`pages ${page} by ${sort} are the whole, none twice and none left out`, async () => {
        const whole = await shop.graphql(`{ customers(first: 100, sort: [${sort}]) { nodes { customer_id } } }`);
        const ids: string[] = [];
        let cursor: string | null = null;
        for (let more = true; more;) {
          const { data, errors } = await shop.graphql(
            `query ($cursor: String) { customers(${first}: 7, ${after}: $cursor, sort: [${sort}]) {
              edges { cursor node { customer_id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`,
            { cursor },
          );
          assert.equal(errors, undefined);
          const { edges, pageInfo } = data.customers;
          const read = edges.map(({ node }: { node: { customer_id: string } }) => node.customer_id);
          assert.equal(pageInfo.startCursor, edges[0].cursor);
          assert.equal(pageInfo.endCursor, edges.at(-1).cursor);
          if (page === 'forward') ids.push(...read);
          else ids.unshift(...read);
          more = page === 'forward' ? pageInfo.hasNextPage : pageInfo.hasPreviousPage;
          cursor = page === 'forward' ? pageInfo.endCursor : pageInfo.startCursor;
        }
        assert.deepEqual(
          ids,
          whole.data.customers.nodes.map(({ customer_id }: { customer_id: string }) => customer_id),
        );
      });
  }

  it('merges equal fields, and follows aliases, fragments, directives and __typename', async () => {
    const { data, errors } = await shop.graphql(
      `query Q($no: Boolean! = false, $yes: Boolean!) {
        __typename
        c: customers(first: 1) { __typename ...Page nodes { id: customer_id } nodes { orders(first: 1) { nodes { order_id } } } others: nodes { region } }
        c: customers(first: 1) { ... on CustomersConnection { nodes { orders(first: 1) { __typename nodes { status @skip(if: $yes) } } } } }
        gone: customers @include(if: $no) { totalCount }
      }
      fragment Page on CustomersConnection { nodes { name __typename } edges { __typename } pageInfo { __typename } }`,
      { yes: true },
    );
    assert.equal(errors, undefined);
    assert.deepEqual(data, {
      __typename: 'Query',
      c: {
        __typename: 'CustomersConnection',
        nodes: [
          {
            name: 'Name 1',
            __typename: 'Customers',
            id: '1',
            orders: { nodes: [{ order_id: '40' }], __typename: 'OrdersConnection' },
          },
        ],
        edges: [{ __typename: 'CustomersEdge' }],
        pageInfo: { __typename: 'PageInfo' },
        others: [{ region: 'US' }],
      },
    });
  });

  it('follows relations to one row, to datasets without an API, and back', async () => {
    const { data } = await shop.graphql(
      '{ customersByKey(customer_id: "4") { referrer { name referrer { name } } notes(limit: 1, sort: [written_DESC], filter: { text: { contains: "NOTE" } }) { text } orders(first: 1) { nodes { customer { name } } } } }',
    );
    assert.deepEqual(data.customersByKey, {
      referrer: { name: 'Name 2', referrer: { name: 'Name 1' } },
      notes: [{ text: 'note 43' }],
      orders: { nodes: [{ customer: { name: 'Name 4' } }] },
    });
    const none = await shop.graphql('{ customersByKey(customer_id: "77") { name } }');
    assert.deepEqual(none.data, { customersByKey: null });
  });

  it('filters as the conditions say', async () => {
    const count = async (filter: string, variables?: object): Promise<number> => {
      const { data, errors } = await shop.graphql(
        variables === undefined
          ? `{ customers(filter: ${filter}) { totalCount } }`
          : 'query ($f: CustomersFilter) { customers(filter: $f) { totalCount } }',
        variables,
      );
      assert.equal(errors, undefined);
      return data.customers.totalCount;
    };
    assert.equal(await count('{ region: { eq: "EU" }, customer_id: { lte: 10 } }'), 5);
    assert.equal(await count('{ or: [{ customer_id: { eq: "1" } }, { customer_id: { in: [2, 3] } }] }'), 3);
    assert.equal(await count('{ or: [] }'), 0);
    assert.equal(await count('{ not: { plan: { null: true } } }'), 27);
    assert.equal(await count('{ plan: { ne: "pro" }, joined: { gte: "2026-02-01" } }'), 6);
    assert.equal(await count('{ name: { starts: "Name 1" }, active: { eq: true } }'), 2);
    assert.equal(await count('', { f: { name: { contains: "'; DROP TABLE marts.customers; --" } } }), 0);
    assert.equal(await count('', { f: null }), 41);
  });

  it('groups and measures', async () => {
    const { data, errors } = await shop.graphql(
      '{ customersAggregate(groupBy: plan, filter: { plan: { null: false } }) { __typename count group { p: plan __typename } min { joined } max { score } avg { ratio visits } } all: customersAggregate { count } }',
    );
    assert.equal(errors, undefined);
    const [oracle] = await shop.sql('SELECT avg(visits)::text v, min(joined)::text m FROM marts.customers WHERE plan = $1', ['free']);
    assert.deepEqual(data.customersAggregate[0].group, { p: 'free', __typename: 'CustomersGroup' });
    assert.equal(data.customersAggregate[0].avg.visits, oracle?.['v']);
    assert.equal(data.customersAggregate[0].min.joined, oracle?.['m']);
    assert.deepEqual(data.all, [{ count: 41 }]);
    assert.equal(await shop.refused('{ customersAggregate(groupBy: [plan]) { group { region } } }'), 'BAD_USER_INPUT');
  });

  it('answers introspection beside data in one request', async () => {
    requests.length = 0;
    const { data } = await shop.graphql(
      'query ($name: String!) { a: customers(first: 1) { nodes { name } } t: __type(name: $name) { name } b: items(first: 1) { nodes { product } } }',
      { name: 'Orders' },
    );
    assert.deepEqual(Object.keys(data), ['a', 't', 'b']);
    assert.deepEqual(data.t, { name: 'Orders' });
  });
});
