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
    assert.match(await wrong('regio = ${claim:region}'), /^roles\.a\.rows: .*column "regio" does not exist/);
    assert.match(await wrong('region == = ${claim:region}'), /^roles\.a\.rows: /);
    assert.match(await wrong('name'), /^roles\.a\.rows: .*boolean/);
    assert.equal(await wrong('region IS NOT NULL'), '');
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
