import assert from 'node:assert/strict';
import fc from 'fast-check';
import pg from 'pg';
import { compile } from '../../connectors/postgres/datasets/compile.ts';
import { MillraceError, type ErrorCode } from '../../schema/errors.ts';
import type { DatasetRead, DatasetRequest, Filter, OutputField, RowRule } from '../../schema/dataset.ts';
import { openPlace, type DatasetsPlace } from './datasets-kit.ts';

const column = (name: string, as = name): OutputField => ({ kind: 'column', as, column: name });
const rule = (sql: string, ...values: readonly unknown[]): RowRule => ({ parts: sql.split('?'), values });
const eq = (name: string, value: string): Filter => ({ kind: 'compare', column: name, op: 'eq', value });
const coded =
  (code: ErrorCode, words: RegExp) =>
  (error: unknown): boolean =>
    error instanceof MillraceError && error.code === code && words.test(error.message);

/** Counts what is sent on any connection of this process. */
function countQueries(): { stop(): number } {
  const original = Reflect.get(pg.Client.prototype, 'query') as (...given: unknown[]) => unknown;
  let count = 0;
  Reflect.set(pg.Client.prototype, 'query', function (this: pg.Client, ...given: unknown[]) {
    count++;
    return Reflect.apply(original, this, given);
  });
  return {
    stop: () => {
      Reflect.set(pg.Client.prototype, 'query', original);
      return count;
    },
  };
}

describe('requests for datasets in PostgreSQL', () => {
  let place: DatasetsPlace;
  let customers: DatasetRead;
  let orders: DatasetRead;
  let items: DatasetRead;
  before(async () => {
    place = await openPlace(`CREATE SCHEMA marts;
      CREATE TABLE marts.customers (customer_id bigint PRIMARY KEY, name text, plan text, region text, tags text[], score numeric, x double precision);
      INSERT INTO marts.customers SELECT i, 'n' || i, CASE i % 4 WHEN 0 THEN NULL ELSE 'p' || i % 4 END, 'r' || i % 2, ARRAY['t' || i], i / 4.0, i
        FROM generate_series(1, 20) i;
      CREATE TABLE marts.orders (order_id int PRIMARY KEY, customer_id int, total numeric(10,2), kind text);
      INSERT INTO marts.orders SELECT i, i % 20 + 1, i * 1.5, 'k' || i % 3 FROM generate_series(1, 100) i;
      CREATE TABLE marts.items (item_id int PRIMARY KEY, order_id smallint, sku text);
      INSERT INTO marts.items SELECT i, i % 100 + 1, 's' || i % 7 FROM generate_series(1, 300) i;
      CREATE TABLE secrets (region text, word text); INSERT INTO secrets VALUES ('r1', 'hush')`);
    customers = await place.read('marts.customers');
    orders = await place.read('marts.orders');
    items = await place.read('marts.items');
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
  });

  const oracle = async (sql: string): Promise<unknown> => {
    const { rows } = await place.client.query<{ j: string }>(`SELECT coalesce(json_agg(o.*), '[]')::text AS j FROM (${sql}) o`);
    return JSON.parse(rows[0]?.j ?? 'null') as unknown;
  };
  const ids = async (change: Partial<DatasetRead>): Promise<readonly number[]> =>
    ((await place.rows({ ...customers, fields: [column('customer_id', 'id')], ...change })) as { id: string }[]).map(({ id }) =>
      Number(id),
    );
  const idsOf = async (where: string): Promise<readonly number[]> =>
    ((await oracle(`SELECT customer_id AS id FROM marts.customers WHERE ${where} ORDER BY 1`)) as { id: number }[]).map(({ id }) => id);

  it('filter as SQL does, but that NULL is not equal to anything and `not` is what is left', async () => {
    const one = (op: Extract<Filter, { kind: 'compare' }>['op'], value: string | boolean | string[], name = 'plan'): Filter => ({
      kind: 'compare',
      column: name,
      op,
      value,
    });
    const cases: readonly (readonly [Filter, string])[] = [
      [one('eq', 'p1'), `plan = 'p1'`],
      [one('ne', 'p1'), `plan IS DISTINCT FROM 'p1'`],
      [one('gt', '4.25', 'score'), 'score > 4.25'],
      [one('lte', '1e0', 'x'), 'x <= 1'],
      [one('in', ['p1', 'p2', "'; --"]), `plan IN ('p1', 'p2')`],
      [one('in', []), 'false'],
      [one('not_in', ['p1', 'p2']), `plan IS NULL OR plan NOT IN ('p1', 'p2')`],
      [one('null', true), 'plan IS NULL'],
      [one('null', false), 'plan IS NOT NULL'],
      [one('contains', 'N1', 'name'), `name LIKE '%n1%'`],
      [one('contains', '_1', 'name'), 'false'],
      [one('starts', 'n1', 'name'), `name LIKE 'n1%'`],
      [one('starts', 'N1', 'name'), 'false'],
      [one('starts', '%', 'name'), 'false'],
      [one('eq', '{t3}', 'tags'), `tags = '{t3}'`],
      [{ kind: 'not', filter: one('eq', 'p1') }, `plan IS DISTINCT FROM 'p1'`],
      [{ kind: 'not', filter: one('gt', 'p1') }, `plan IS NULL OR plan <= 'p1'`],
      [{ kind: 'and', filters: [] }, 'true'],
      [{ kind: 'or', filters: [] }, 'false'],
      [
        { kind: 'or', filters: [one('eq', 'p1'), { kind: 'and', filters: [one('eq', 'p2'), one('eq', 'r0', 'region')] }] },
        `plan = 'p1' OR plan = 'p2' AND region = 'r0'`,
      ],
    ];
    for (const [filter, where] of cases) assert.deepEqual(await ids({ filter }), await idsOf(where), where);
  });

  it('refuse values that are not of the column, and comparisons that its type has not, without naming values', async () => {
    const wrong = ids({ filter: { kind: 'compare', column: 'customer_id', op: 'eq', value: 'secretvalue' } });
    await assert.rejects(wrong, (error) => coded('rejected', /column "customer_id"/)(error) && !/secretvalue/.test(String(error)));
    await assert.rejects(
      ids({ filter: { kind: 'compare', column: 'customer_id', op: 'in', value: ['1', '99999999999999999999'] } }),
      coded('rejected', /column "customer_id"/),
    );
    await assert.rejects(ids({ from: ['x'] }), coded('rejected', /cursor's "customer_id"/));
    await assert.rejects(ids({ filter: { kind: 'compare', column: 'score', op: 'contains', value: '1' } }), coded('rejected', /"score"/));
    await assert.rejects(ids({ filter: { kind: 'compare', column: 'tags', op: 'gt', value: '{}' } }), coded('rejected', /"tags"/));
    await assert.rejects(ids({ filter: eq('name', 'a\0b') }), coded('rejected', /value/));
    await place.client.query(`CREATE TABLE odd (id int, p point, j json); INSERT INTO odd VALUES (1, '(1,2)', '{}')`);
    const odd = await place.read('odd');
    await assert.rejects(place.rows({ ...odd, sort: [{ column: 'p', descending: false }] }), coded('rejected', /compared, sorted/));
    await assert.rejects(place.rows({ ...odd, filter: eq('j', '{}') }), coded('rejected', /"j"/));
  });

  it('give the rows of relations, of any depth, each with its own filter, sort and limit', async () => {
    const itemsOf: OutputField = {
      kind: 'relation',
      as: 'items',
      on: [['order_id', 'order_id']],
      read: { ...items, fields: [column('sku'), column('item_id', 'id')], limit: 2 },
    };
    const customerOf: OutputField = {
      kind: 'relation',
      as: 'customer',
      on: [['customer_id', 'customer_id']],
      read: { ...customers, fields: [column('name')], shape: { kind: 'one' } },
    };
    const read: DatasetRead = {
      ...customers,
      fields: [
        column('name'),
        {
          kind: 'relation',
          as: 'orders',
          on: [['customer_id', 'customer_id']],
          read: {
            ...orders,
            filter: eq('kind', 'k1'),
            sort: [
              { column: 'total', descending: true },
              { column: 'order_id', descending: false },
            ],
            limit: 3,
            fields: [column('order_id'), itemsOf, customerOf],
          },
        },
      ],
      sort: [{ column: 'customer_id', descending: true }],
      limit: 7,
    };
    assert.deepEqual(
      await place.rows(read),
      await oracle(`SELECT name, (SELECT coalesce(json_agg(o.*), '[]') FROM (SELECT order_id,
        (SELECT coalesce(json_agg(i.*), '[]') FROM (SELECT sku, item_id AS id FROM marts.items i WHERE i.order_id = o.order_id ORDER BY item_id LIMIT 2) i) AS items,
        (SELECT row_to_json(n.*) FROM (SELECT name FROM marts.customers k WHERE k.customer_id = o.customer_id) n) AS customer
        FROM marts.orders o WHERE o.customer_id = c.customer_id AND kind = 'k1' ORDER BY total DESC, order_id LIMIT 3) o) AS orders
        FROM marts.customers c ORDER BY customer_id DESC LIMIT 7`),
    );
    const paged: OutputField = {
      kind: 'relation',
      as: 'orders',
      on: [['customer_id', 'customer_id']],
      read: {
        ...orders,
        fields: [column('order_id')],
        limit: 1,
        shape: {
          kind: 'object',
          members: [
            { kind: 'rows', as: 'nodes' },
            { kind: 'count', as: 'n', exact: false },
            { kind: 'pageInfo', as: 'info', members: [{ kind: 'hasNextPage', as: 'more' }] },
          ],
        },
      },
    };
    assert.deepEqual(await place.rows({ ...customers, fields: [column('name'), paged], limit: 2 }), [
      { name: 'n1', orders: { nodes: [{ order_id: 20 }], n: 5, info: { more: true } } },
      { name: 'n2', orders: { nodes: [{ order_id: 1 }], n: 5, info: { more: true } } },
    ]);
    const wrong: OutputField = { kind: 'relation', as: 'orders', on: [['name', 'order_id']], read: orders };
    await assert.rejects(place.rows({ ...customers, fields: [wrong] }), coded('config', /name is text, order_id is integer/));
  });

  it('give groups with their measures, exact', async () => {
    const request: DatasetRequest = {
      kind: 'aggregate',
      source: customers.source,
      rules: [rule('region = ?', 'r1')],
      columns: customers.columns,
      groupBy: ['plan'],
      limit: 10,
      filter: { kind: 'compare', column: 'customer_id', op: 'lt', value: '18' },
      members: [
        { kind: 'constant', as: '__typename', value: 'Group' },
        { kind: 'group', as: 'plan', column: 'plan' },
        {
          kind: 'object',
          as: 'm',
          members: [
            { kind: 'measure', as: 'rows', function: 'count' },
            { kind: 'measure', as: 'sum', function: 'sum', column: 'customer_id' },
            { kind: 'measure', as: 'avg', function: 'avg', column: 'x' },
            { kind: 'measure', as: 'max', function: 'max', column: 'score' },
            { kind: 'measure', as: 'plans', function: 'count', column: 'plan' },
            { kind: 'measure', as: 'min', function: 'min', column: 'name' },
          ],
        },
      ],
    };
    const expected =
      await oracle(`SELECT 'Group' AS __typename, plan, json_build_object('rows', count(*), 'sum', sum(customer_id)::text, 'avg', avg(x), 'max', max(score)::text,
      'plans', count(plan), 'min', min(name)) AS m FROM marts.customers WHERE region = 'r1' AND customer_id < 18 GROUP BY plan ORDER BY plan`);
    assert.deepEqual(await place.rows(request), expected);
    const whole = {
      ...request,
      groupBy: [],
      members: [{ kind: 'measure' as const, as: 'n', function: 'count' as const }],
      filter: eq('name', 'nobody'),
    };
    assert.deepEqual(await place.rows(whole), [{ n: 0 }]);
    await assert.rejects(
      place.rows({ ...request, members: [{ kind: 'measure', as: 's', function: 'sum', column: 'name' }] }),
      coded('rejected', /measured/),
    );
  });

  it('run as one statement whatever their size', async () => {
    const related: OutputField = {
      kind: 'relation',
      as: 'orders',
      on: [['customer_id', 'customer_id']],
      read: { ...orders, fields: [column('order_id')], limit: 2 },
    };
    const tree: DatasetRequest = {
      kind: 'object',
      members: [
        { kind: 'constant', as: '__typename', value: 'Query' },
        { kind: 'member', as: 'all', request: { ...customers, fields: [column('name'), related] } },
        { kind: 'member', as: 'one', request: { ...customers, filter: eq('name', 'nobody'), shape: { kind: 'one' } } },
        {
          kind: 'member',
          as: 'n',
          request: {
            kind: 'aggregate',
            source: orders.source,
            rules: [],
            columns: orders.columns,
            groupBy: [],
            members: [{ kind: 'measure', as: 'n', function: 'count' }],
            limit: 1,
          },
        },
      ],
    };
    const datasets = await place.open({ connections: 1 });
    await datasets.read({ ...customers, shape: { kind: 'one' } });
    const client = countQueries();
    const answer = JSON.parse(await datasets.read(tree)) as { __typename: string; all: unknown[]; one: unknown; n: unknown };
    assert.equal(client.stop(), 1);
    assert.deepEqual([answer.__typename, answer.all.length, answer.one, answer.n], ['Query', 20, null, [{ n: 100 }]]);
  });

  it('have a text that depends on their shape alone', async () => {
    const textOf = (value: string, claim: unknown): string =>
      compile({ ...customers, rules: [rule('region = ?', claim)], filter: eq('name', value), from: [value], cursorPrefix: value }, 'key')
        .text;
    fc.assert(fc.property(fc.string(), fc.anything(), (value, claim) => textOf(value, claim) === textOf('', '')));
  });

  it('hold to row rules whatever the claims are', async () => {
    const rows = async (claim: unknown, sql = 'region = ?'): Promise<readonly number[]> => await ids({ rules: [rule(sql, claim)] });
    assert.deepEqual(await rows('r1'), await idsOf(`region = 'r1'`));
    for (const claim of [`r1' OR true --`, `' OR '1'='1`, 'x) OR (true', '$1', `\\'; DROP TABLE secrets; --`, 7, true, { a: [1] }, ['r1']])
      assert.deepEqual(await rows(claim), [], JSON.stringify(claim));
    assert.deepEqual(await rows(['r1', `x" , 'y`], 'region = ANY (?)'), await idsOf(`region = 'r1'`));
    assert.deepEqual(await rows(3, 'customer_id = ? -- a remark'), [3]);
    assert.deepEqual(await rows('r1', 'region=?AND true'), await idsOf(`region = 'r1'`));
    assert.deepEqual(await rows(true, '?'), await idsOf('true'));
    assert.deepEqual(
      await rows('hush', 'EXISTS (SELECT FROM secrets s WHERE s.region = customers.region AND s.word = ?)'),
      await idsOf(`region = 'r1'`),
    );
    assert.deepEqual(await ids({ rules: [rule('true OR ?', false)], filter: eq('name', 'n3') }), [3]);
    await assert.rejects(rows('abc', 'customer_id = ?'), coded('rejected', /claim/));
    await assert.rejects(rows('r1', `region = '?'`), coded('config', /quotes/));
    await assert.rejects(rows('r1', 'region = $1 OR region = ?'), coded('config', /parameter/));
  });

  it('never let a rule of a relation mean a column of the row that it hangs on', async () => {
    const related: OutputField = {
      kind: 'relation',
      as: 'orders',
      on: [['customer_id', 'customer_id']],
      read: { ...orders, rules: [rule('region = ?', 'r1')] },
    };
    await assert.rejects(place.rows({ ...customers, fields: [related] }), coded('schema', /column "region" does not exist/));
  });

  it('say when a dataset is not any more what it was', async () => {
    await place.client.query('CREATE TABLE fleeting (id int, gone int); INSERT INTO fleeting VALUES (1, 2)');
    const read = await place.read('fleeting');
    assert.deepEqual(await place.rows(read), [{ id: 1, gone: 2 }]);
    await place.client.query('ALTER TABLE fleeting DROP COLUMN gone');
    await assert.rejects(place.rows(read), coded('schema', /gone/));
    assert.deepEqual(await place.rows(await place.read('fleeting')), [{ id: 1 }]);
    await place.client.query('DROP TABLE fleeting; CREATE TABLE fleeting (id int, more text); INSERT INTO fleeting VALUES (3)');
    assert.deepEqual(await place.rows(await place.read('fleeting')), [{ id: 3, more: null }]);
    await place.client.query('DROP TABLE fleeting');
    await assert.rejects(place.rows(read), coded('schema', /fleeting/));
  });

  it('read queries as they read tables', async () => {
    const sql =
      'WITH c AS (SELECT * FROM marts.customers) SELECT customer_id, count(*) AS orders FROM c JOIN marts.orders USING (customer_id) GROUP BY 1 -- ;';
    const read = await place.read({ kind: 'query', sql }, { limit: 2, rules: [rule('customer_id > ?', '5')] });
    assert.deepEqual(await place.rows(read), [
      { customer_id: '6', orders: '5' },
      { customer_id: '7', orders: '5' },
    ]);
  });
});
