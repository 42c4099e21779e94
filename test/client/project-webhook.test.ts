import assert from 'node:assert/strict';
import { connections, problems } from './project-kit.ts';

const told = (dataset: string): string => `${connections}
  hook: { type: webhook, url: "https://example.org/hook", secret: "\${env:HOOK_SECRET}" }
gateway:
  webhooks:
    partner:
      to: hook
      datasets:
        - ${dataset}
pipelines:
  shop: { from: shop, to: warehouse.landed, streams: { sales.orders: {}, sales.visits: { into: hits } } }
  drops: { from: drops, to: warehouse.drops, streams: { "parts/movies-*.csv.gz": {} } }
  all: { from: shop, to: warehouse.copied, streams: { "*": {} } }
models:
  built: { sql: "select 1 AS id", warehouse: warehouse, key: id, build: table, into: marts.built }
apis:
  customers:
    dataset: marts.customers
    key: customer_id
    relations: { orders: { dataset: others.orders, on: customer_id } }
    roles: { all: { fields: all } }
`;

describe('project file: errors of outgoing webhooks', () => {
  it('lets them tell of what the project loads, builds or publishes', async () => {
    const known = ['landed.orders', 'landed.hits', 'drops.movies', 'copied.anything', 'marts.built', 'marts.customers', 'others.orders'];
    for (const dataset of [...known, '"landed.*"', '"copied.*"']) assert.deepEqual(await problems(told(dataset)), [], dataset);
  });

  it('names a dataset of which no commit would ever come, with the nearest', async () => {
    const place = 'millrace.yaml:13:11: gateway.webhooks.partner.datasets[0] is';
    const [order = '', ...more] = await problems(told('landed.order'));
    assert.deepEqual(more, []);
    assert.equal(
      order,
      `${place} "landed.order", which the project neither loads, builds nor publishes: no commit is told. Did you mean "landed.orders"?`,
    );
    assert.match((await problems(told('landed.visits'))).join(), /neither loads, builds nor publishes: no commit is told/);
    assert.match(
      (await problems(told('"mart.*"'))).join(),
      /is "mart\.\*", but the project has nothing in the schema mart: .*Did you mean "marts\.\*"\?$/,
    );
  });
});
