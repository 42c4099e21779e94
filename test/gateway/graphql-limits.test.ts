import assert from 'node:assert/strict';
import { openShop, type Shop } from './graphql-kit.ts';

const nested = (levels: number): string =>
  `{ customers(first: 1) { nodes { ${'referrer { '.repeat(levels)} name ${'} '.repeat(levels)} } } }`;

describe('GraphQL that asks too much', () => {
  let shop: Shop;
  before(async () => {
    shop = await openShop();
  });
  after(async () => await shop[Symbol.asyncDispose]());

  const list = (count: number, of: (index: number) => string): string => Array.from({ length: count }, (_, index) => of(index)).join(' ');

  const refusals: Readonly<Record<string, readonly [query: string, code: string, variables?: object]>> = {
    '10,000 aliases': [`{ ${list(10_000, (at) => `a${at}: __typename`)} }`, 'GRAPHQL_PARSE_FAILED'],
    '101 aliases': [`{ ${list(101, (at) => `a${at}: __typename`)} }`, 'QUERY_TOO_LARGE'],
    '100 levels': [nested(100), 'QUERY_TOO_LARGE'],
    'a level more than is allowed': [nested(6), 'QUERY_TOO_LARGE'],
    '1,001 fields': [`{ ${list(1001, () => '__typename')} }`, 'QUERY_TOO_LARGE'],
    '51 directives': [`{ ${list(51, () => '__typename @include(if: true)')} }`, 'QUERY_TOO_LARGE'],
    'a bomb of tokens': [`{ customers(filter: { or: [${list(5000, () => '{}')}] }) { totalCount } }`, 'GRAPHQL_PARSE_FAILED'],
    'a cycle of fragments': ['{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }', 'GRAPHQL_VALIDATION_FAILED'],
    'fragments that double forty times': [
      `{ ...F0 } ${list(40, (at) => `fragment F${at} on Query { ...F${at + 1} x: customers { totalCount } ...F${at + 1} }`)} fragment F40 on Query { __typename }`,
      'QUERY_TOO_LARGE',
    ],
    'more rows than are given': ['{ customers(first: 1001) { nodes { name } } }', 'BAD_USER_INPUT'],
    'less than no rows': ['{ customers(first: -1) { nodes { name } } }', 'BAD_USER_INPUT'],
    'rows multiplied': [
      '{ customers(first: 100) { nodes { orders(first: 100) { nodes { order_id items { totalCount } } } } } }',
      'QUERY_TOO_LARGE',
    ],
    'counts multiplied': [
      '{ customers(first: 900) { nodes { orders(first: 0) { totalCount } referrer { orders(first: 0) { totalCount } } } } }',
      'QUERY_TOO_LARGE',
    ],
    'introspection in circles': [
      '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }',
      'GRAPHQL_VALIDATION_FAILED',
    ],
    'too many conditions': [
      `query ($f: CustomersFilter) { customers(filter: $f) { totalCount } }`,
      'QUERY_TOO_LARGE',
      { f: { and: Array.from({ length: 60 }, () => ({ name: { eq: 'x' } })) } },
    ],
    'too long a list': [
      'query ($ids: [BigInt!]) { customers(filter: { customer_id: { in: $ids } }) { totalCount } }',
      'QUERY_TOO_LARGE',
      { ids: Array.from({ length: 201 }, (_, at) => at) },
    ],
    'too many values': [
      'query ($ids: [BigInt!]) { customers(filter: { customer_id: { in: $ids } }) { totalCount } }',
      'QUERY_TOO_LARGE',
      { ids: Array.from({ length: 20_000 }, () => 1) },
    ],
    'variables too deep': [
      'query ($f: CustomersFilter) { customers(filter: $f) { totalCount } }',
      'QUERY_TOO_LARGE',
      JSON.parse(`{"f":${'{"not":'.repeat(3000)}{}${'}'.repeat(3000)}}`),
    ],
    'both directions': ['{ customers(first: 1, last: 1) { totalCount } }', 'BAD_USER_INPUT'],
    'a cursor that is none': ['{ customers(after: "WyJ4Il0") { totalCount } }', 'BAD_USER_INPUT'],
    'a mutation': ['mutation { __typename }', 'OPERATION_RESOLUTION_FAILURE'],
    'a subscription': ['subscription { __typename }', 'OPERATION_RESOLUTION_FAILURE'],
    'two operations and no name': ['query A { __typename } query B { __typename }', 'OPERATION_RESOLUTION_FAILURE'],
    'what is no value of its column': ['{ customers(filter: { joined: { eq: "tomorrow" } }) { totalCount } }', 'BAD_USER_INPUT'],
    'what is beyond its column': ['{ customersByKey(customer_id: 9223372036854775808) { name } }', 'BAD_USER_INPUT'],
    'a condition that is null': ['{ customers(filter: { plan: null }) { totalCount } }', 'BAD_USER_INPUT'],
    'a comparison with null': ['{ customers(filter: { plan: { eq: null } }) { totalCount } }', 'BAD_USER_INPUT'],
    'a missing variable': ['query ($id: BigInt!) { customersByKey(customer_id: $id) { name } }', 'BAD_USER_INPUT'],
    'no GraphQL': ['SELECT 1', 'GRAPHQL_PARSE_FAILED'],
    'an unknown field': ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
  };

  for (const [what, [query, code, variables]] of Object.entries(refusals))
    it(`is refused at once: ${what}`, async () => {
      const began = performance.now();
      assert.equal(await shop.refused(query, variables), code);
      assert.ok(performance.now() - began < 1500);
    });

  it('is answered up to the limits', async () => {
    const { errors, data } = await shop.graphql(nested(5));
    assert.equal(errors, undefined);
    assert.ok('nodes' in data.customers);
    const aliases = await shop.graphql(`{ ${list(100, (at) => `a${at}: __typename`)} }`);
    assert.equal(Object.keys(aliases.data).length, 100);
    const none = await shop.graphql(
      '{ customers(first: 0) { totalCount nodes { name } edges { cursor } pageInfo { hasNextPage endCursor } } }',
    );
    assert.deepEqual(none.data.customers, { totalCount: 41, nodes: [], edges: [], pageInfo: { hasNextPage: true, endCursor: null } });
  });

  it('takes texts for what they are, in every argument', async () => {
    const attacks = [
      `'`,
      `"; DROP TABLE marts.customers; --`,
      `\\`,
      `%`,
      '_',
      '$1',
      '${claim:region}',
      `\u{1F600}`,
      `x'); SELECT pg_sleep(5); --`,
    ];
    for (const attack of attacks) {
      for (const op of ['eq', 'ne', 'gt', 'lte', 'contains', 'starts']) {
        const { errors, data } = await shop.graphql(`query ($x: String) { customers(filter: { name: { ${op}: $x } }) { totalCount } }`, {
          x: attack,
        });
        assert.equal(errors, undefined);
        const [oracle] = await shop.sql(oracles[op]!, [attack]);
        assert.equal(data.customers.totalCount, Number(oracle?.['count']), `${op} ${attack}`);
      }
      for (const name of ['after', 'before'])
        assert.equal(await shop.refused(`query ($x: String) { customers(${name}: $x) { totalCount } }`, { x: attack }), 'BAD_USER_INPUT');
      assert.equal(await shop.refused('query ($x: BigInt!) { customersByKey(customer_id: $x) { name } }', { x: attack }), 'BAD_USER_INPUT');
      assert.equal(
        await shop.refused('query ($x: Decimal!) { customers(filter: { score: { in: [$x] } }) { totalCount } }', { x: attack }),
        'BAD_USER_INPUT',
      );
    }
    assert.equal(
      await shop.refused('query ($x: String) { customers(filter: { name: { eq: $x } }) { totalCount } }', { x: 'a\0b' }),
      'BAD_USER_INPUT',
    );
  });

  it('is refused when a cursor is forged', async () => {
    const { data } = await shop.graphql('{ customers(first: 1) { pageInfo { endCursor } } }');
    const prefix: string = JSON.parse(Buffer.from(data.customers.pageInfo.endCursor, 'base64url').toString())[0];
    for (const value of ["1' OR true --", 'x', '99999999999999999999']) {
      const forged = Buffer.from(JSON.stringify([prefix, value])).toString('base64url');
      assert.equal(await shop.refused(`{ customers(after: "${forged}") { totalCount nodes { name } } }`), 'BAD_USER_INPUT');
    }
  });
});

const counted = (condition: string): string => `SELECT count(*) FROM marts.customers WHERE ${condition}`;
const oracles: Readonly<Record<string, string>> = {
  eq: counted('name = $1'),
  ne: counted('name IS DISTINCT FROM $1'),
  gt: counted('name > $1'),
  lte: counted('name <= $1'),
  contains: counted('strpos(lower(name), lower($1)) > 0'),
  starts: counted('starts_with(name, $1)'),
};
