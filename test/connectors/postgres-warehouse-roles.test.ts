import assert from 'node:assert/strict';
import { openWarehouse } from '../../connectors/postgres/warehouse/warehouse.ts';
import { attempt, csv, deliver, makeLoad } from '../kits/loads.ts';
import { useWarehouse, type WarehouseUnderTest } from '../kits/postgres-warehouse.ts';

const one = csv([['1', 'a', null]]);

describe('PostgreSQL as warehouse: least privilege', () => {
  let under: WarehouseUnderTest;
  let role = '';
  // Before the kit drops the database, for the role's schemas are in it.
  afterEach(async () => {
    await under.client.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  });
  under = useWarehouse();
  const as = async () => {
    const url = new URL(under.url);
    url.username = role;
    url.password = 'loads';
    return await openWarehouse({ type: 'postgres', url: url.href }, 'warehouse');
  };

  beforeEach(async () => {
    role = `loader_${new URL(under.url).pathname.slice(-12)}`;
    await under.client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'loads'`);
  });
  it('check names what is missing with the statement that grants it', async () => {
    await under.client.query('DROP SCHEMA _millrace CASCADE');
    const { problems } = await (await as()).check(attempt());
    assert.match(problems.join(), new RegExp(`GRANT CREATE ON DATABASE "[^"]+" TO "${role}"`));
  });

  it('a role that owns its two schemas and nothing else loads', async () => {
    await under.client.query(
      `DROP SCHEMA _millrace CASCADE; CREATE SCHEMA _millrace AUTHORIZATION ${role}; CREATE SCHEMA shop AUTHORIZATION ${role}`,
    );
    const warehouse = await as();
    assert.deepEqual((await warehouse.check(attempt())).problems, []);
    for (const [version, mode] of (['replace', 'replace'] as const).entries()) {
      await deliver(warehouse, makeLoad({ definition: { mode }, expectedVersion: version }), [one]);
    }
    assert.deepEqual(await under.rows('SELECT id FROM shop.orders'), [['1']]);
  });

  it('a table of another owner is filled in place when the role may write it', async () => {
    await under.client.query(
      `DROP SCHEMA _millrace CASCADE; CREATE SCHEMA _millrace AUTHORIZATION ${role}; CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO ${role}`,
    );
    await under.client.query(
      `CREATE TABLE shop.orders (id bigint PRIMARY KEY, status text, updated_at timestamptz, _load_id uuid, _loaded_at timestamptz); GRANT ALL ON shop.orders TO ${role}`,
    );
    await deliver(await as(), makeLoad({ definition: { mode: 'replace', adopt: true } }), [one]);
    assert.deepEqual(await under.rows('SELECT id FROM shop.orders'), [['1']]);
  });

  it('a role of the server that may not connect is an auth error without its secret', async () => {
    const url = new URL(under.url);
    url.username = 'nobody_at_all';
    url.password = 'canary-secret';
    const warehouse = await openWarehouse({ type: 'postgres', url: url.href }, 'warehouse');
    await assert.rejects(
      warehouse.check(attempt()),
      (error) => error instanceof Error && 'code' in error && error.code === 'auth' && !error.message.includes('canary'),
    );
  });
});
