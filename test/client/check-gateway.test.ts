import assert from 'node:assert/strict';
import { checkGateway } from '../../client/command-line/check-gateway.ts';
import { toDefinitions } from '../../client/project/definitions.ts';
import type { Checked } from '../../schema/check.ts';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { load } from './project-kit.ts';

describe('check of apis', () => {
  let warehouse: string;

  before(async () => {
    warehouse = await createDatabase('check_gateway');
    await sql(
      warehouse,
      `CREATE SCHEMA marts; CREATE TABLE marts.customers (id bigint PRIMARY KEY, name text, region text, email text);
       CREATE TABLE marts.visits (visitor bigint, page text)`,
    );
    process.env['CHECK_GATEWAY_URL'] = warehouse;
  });
  after(async () => {
    delete process.env['CHECK_GATEWAY_URL'];
    await dropDatabase(warehouse);
  });

  const check = async (apis: string): Promise<readonly Checked[]> => {
    const text = `project: checked
connections:
  warehouse: { type: postgres, url: "\${env:CHECK_GATEWAY_URL}" }
apis:
${apis}`;
    const { gateway } = toDefinitions(await load(text));
    assert.ok(gateway);
    return await checkGateway(gateway);
  };
  const problemsOf = async (apis: string): Promise<readonly string[]> => (await check(apis)).flatMap(({ problems }) => problems);

  it('finds nothing wrong with what is there, and says that the role could do more than read', async () => {
    const found = await check(`  customers:
    dataset: marts.customers
    key: id
    relations: { visits: { dataset: marts.visits, on: { id: visitor }, fields: [page] } }
    roles: { a: { fields: [name, visits], rows: "region = \${claim:region} AND id < ANY(\${claim:ids})", mask: { name: redact } } }`);
    assert.deepEqual(
      found.map(({ kind, name, system, problems }) => [kind, name, system, problems]),
      [
        ['gateway', 'warehouse', '', []],
        ['api', 'customers', 'marts.customers, 4 columns', []],
      ],
    );
    assert.match(found[0]?.warnings.join() ?? '', /may bypass row-level security; set gateway\.role/);
  });

  it('names the dataset or column that is not there, with the nearest', async () => {
    const found = await problemsOf(`  customers:
    dataset: marts.customers
    key: [id, no]
    relations:
      visits: { dataset: marts.visits, on: { idd: visiter }, fields: [pages] }
      email: { dataset: marts.mails, on: id }
    roles: { a: { fields: [nam, region] }, b: { fields: all, mask: { emial: "null" } } }
  gone: { dataset: marts.gone, key: id, roles: { a: { fields: all } } }`);
    const expected = [
      /^key: there is no column "no"\./,
      /^roles\.a\.fields: there is no column "nam"\. Did you mean "name"\?/,
      /^roles\.b\.mask: there is no column "emial"\. Did you mean "email"\?/,
      /^relations\.visits\.on: there is no column "idd"\. Did you mean "id"\?/,
      /^relations\.visits\.on: there is no column "visiter"\. Did you mean "visitor"\?/,
      /^relations\.visits\.fields: there is no column "pages"\. Did you mean "page"\?/,
      /^relations\.email: a column has that name/,
      /^relations\.email: .*"marts\.mails" does not exist/,
      /"marts\.gone" does not exist/,
    ];
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [at, message] of expected.entries()) assert.match(found[at] ?? '', message);
  });

  it('has the warehouse read the rules of rows', async () => {
    const wrong = async (rows: string): Promise<string> =>
      (await problemsOf(`  customers: { dataset: marts.customers, key: id, roles: { a: { fields: all, rows: "${rows}" } } }`)).join('\n');
    assert.equal(
      await wrong('regio = ${claim:region}'),
      'roles.a.rows: column "regio" does not exist in marts.customers. Did you mean "region"?',
    );
    assert.match(await wrong('region == = ${claim:region}'), /^roles\.a\.rows: /);
    assert.match(await wrong('name'), /^roles\.a\.rows: .*boolean/);
    assert.equal(await wrong('region IS NOT NULL'), '');
  });

  it('counts the rows that a key does not tell apart, where no index proves it', async () => {
    await sql(
      warehouse,
      `CREATE TABLE marts.loose (id int, part int); INSERT INTO marts.loose VALUES (1, 1), (1, 1), (2, 1), (NULL, 1);
       CREATE TABLE marts.tight (id int, part int NOT NULL); INSERT INTO marts.tight VALUES (1, 1), (2, 1);
       CREATE TABLE marts.indexed (id int NOT NULL, part int NOT NULL, UNIQUE (id));
       CREATE TABLE marts.partly (id int NOT NULL, part int); CREATE UNIQUE INDEX ON marts.partly (id) WHERE part = 1;
       INSERT INTO marts.partly VALUES (1, 2), (1, 2)`,
    );
    const of = async (table: string, key = '[id]'): Promise<readonly [readonly string[], readonly string[]]> => {
      const [, api] = await check(`  it: { dataset: marts.${table}, key: ${key}, roles: { a: { fields: all } } }`);
      return [api?.problems ?? [], api?.warnings ?? []];
    };
    assert.deepEqual(await of('loose'), [
      [
        'key: of 4 rows, 1 have no value in "id" and 2 share "id" with another row: pages leave rows out and a row is not found by its key; ' +
          'name columns under apis.it.key that tell all rows apart, or mend the rows',
      ],
      [],
    ]);
    assert.match((await of('partly'))[0].join(), /^key: of 2 rows, 2 share "id"/);
    const [none, notes] = await of('tight', '[id, part]');
    assert.deepEqual(none, []);
    assert.match(notes.join(), /^key: "id", "part" tells all of 2 rows apart now, but no primary key/);
    assert.deepEqual(await of('indexed'), [[], []]);
    assert.deepEqual(await of('indexed', '[id, part]'), [[], []]);
  });

  it('counts the rows of a query, where nothing can prove a key', async () => {
    const text = `project: checked
connections:
  warehouse: { type: postgres, url: "\${env:CHECK_GATEWAY_URL}" }
models:
  pairs: { warehouse: warehouse, sql: "SELECT 1 AS id FROM generate_series(1, 3)", key: id }
apis:
  pairs: { model: pairs, roles: { a: { fields: all } } }`;
    const { gateway } = toDefinitions(await load(text));
    assert.ok(gateway);
    const [, api] = await checkGateway(gateway);
    assert.match(api?.problems.join() ?? '', /^key: of 3 rows, 3 share "id" .* mend the model's query$/);
  });

  it('says who makes a dataset that is not there yet, once, and the nearest where nobody does', async () => {
    const text = `project: checked
connections:
  warehouse: { type: postgres, url: "\${env:CHECK_GATEWAY_URL}" }
  shop: { type: postgres, url: "\${env:CHECK_GATEWAY_URL}" }
pipelines:
  nightly: { from: shop, to: warehouse.fresh, streams: { public.orders: { mode: replace } } }
models:
  sums: { warehouse: warehouse, sql: "SELECT 1 AS id", build: table, into: fresh.sums, key: id }
apis:
  orders: { dataset: fresh.orders, key: id, relations: { sums: { api: sums, on: id } }, roles: { a: { fields: all } } }
  sums: { model: sums, roles: { a: { fields: all } } }
  typo: { dataset: fresh.oders, key: id, roles: { a: { fields: all } } }`;
    const { gateway, pipelines, models } = toDefinitions(await load(text));
    assert.ok(gateway);
    const makers = {
      pipelines: [...pipelines.values()].map(({ definition }) => definition),
      models: [...models.values()].map(({ definition }) => definition),
    };
    const problems = (await checkGateway(gateway, makers)).flatMap((one) => one.problems);
    assert.equal(problems.length, 3, problems.join('\n'));
    assert.match(problems[0] ?? '', /"fresh\.orders" does not exist.*It is made by the first run of nightly: millrace run nightly$/);
    assert.match(problems[1] ?? '', /It is made by the first run of sums: millrace run sums$/);
  });

  it('says of a warehouse that does not answer that its APIs could not be asked', async () => {
    process.env['CHECK_GATEWAY_URL'] = 'postgres://nobody:hunter22@127.0.0.1:1/none';
    try {
      const found = await check('  customers: { dataset: marts.customers, key: id, roles: { a: { fields: all } } }');
      assert.deepEqual(
        found.map(({ kind, problems }) => [kind, problems.length]),
        [
          ['gateway', 1],
          ['api', 1],
        ],
      );
      assert.ok(!JSON.stringify(found).includes('hunter22'));
    } finally {
      process.env['CHECK_GATEWAY_URL'] = warehouse;
    }
  });
});
