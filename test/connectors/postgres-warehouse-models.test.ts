import assert from 'node:assert/strict';
import { definitionFormat, type ModelDefinition } from '../../schema/definition.ts';
import { attempt, csv, deliver, makeLoad } from '../kits/loads.ts';
import { useWarehouse } from '../kits/postgres-warehouse.ts';

function model(given: Partial<ModelDefinition>): ModelDefinition {
  return {
    format: definitionFormat,
    project: 'test',
    name: 'report',
    warehouse: { name: 'warehouse', type: 'postgres', settings: {} },
    sql: 'SELECT id, status FROM shop.orders;\n',
    build: 'table',
    into: { schema: 'finance', table: 'report' },
    after: ['shop'],
    alerts: [],
    heartbeatTimeout: 60_000,
    ...given,
  };
}

describe('PostgreSQL as warehouse: models', () => {
  const under = useWarehouse();
  const build = async (given: Partial<ModelDefinition> = {}) => await under.warehouse.build(model(given), attempt('build'));
  const report = async (): Promise<unknown> => await under.rows('SELECT * FROM finance.report ORDER BY 1');
  let version = 0;
  const load = async (...ids: string[]): Promise<void> => {
    version = (
      await deliver(under.warehouse, makeLoad({ definition: { mode: 'replace' }, expectedVersion: version }), [
        csv(ids.map((id) => [id, 'a', null])),
      ])
    ).version;
  };
  beforeEach(() => (version = 0));

  it('waits for the first load of what it follows', async () => {
    assert.deepEqual(await build(), { skipped: true, rows: 0, notes: ['waits for the first load of shop'] });
    await load('1');
    assert.equal((await build()).skipped, false);
  });

  it('builds a table anew, twice, with its key, grants and indexes kept', async () => {
    await load('1');
    assert.equal((await build({ key: ['id'] })).rows, 1);
    await under.client.query('GRANT SELECT ON finance.report TO PUBLIC; CREATE INDEX by_status ON finance.report (status)');
    const look = async () => [
      await under.rows("SELECT relacl FROM pg_class WHERE oid = 'finance.report'::regclass"),
      await under.rows("SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'finance.report'::regclass ORDER BY 1"),
    ];
    const before = await look();
    await load('1', '2');
    assert.equal((await build({ key: ['id'] })).rows, 2);
    assert.deepEqual(await report(), [
      ['1', 'a'],
      ['2', 'a'],
    ]);
    assert.deepEqual(await look(), before);
  });

  it('fills a table in place when a view reads it, and refuses other columns then', async () => {
    await load('1');
    await build();
    await under.client.query('CREATE VIEW finance.on_top AS SELECT * FROM finance.report');
    await load('5');
    assert.match((await build()).notes.join(), /filled in place/);
    assert.deepEqual(await under.rows('SELECT id FROM finance.on_top'), [['5']]);
    await assert.rejects(build({ sql: 'SELECT id FROM shop.orders' }), {
      code: 'schema',
      message: /its columns changed while it carries .*on_top/,
    });
  });

  it('makes a view, changes its columns where nothing reads it, and names what does', async () => {
    await load('1');
    await build({ build: 'view' });
    await under.client.query('GRANT SELECT ON finance.report TO PUBLIC');
    await build({ build: 'view', sql: 'SELECT status FROM shop.orders' });
    assert.deepEqual(await report(), [['a']]);
    assert.match(String((await under.rows("SELECT relacl FROM pg_class WHERE oid = 'finance.report'::regclass"))[0]?.[0]), /[{,]=r\//);
    await under.client.query('CREATE VIEW finance.on_top AS SELECT * FROM finance.report');
    await assert.rejects(build({ build: 'view', sql: 'SELECT id FROM shop.orders' }), { code: 'schema', message: /on_top/ });
    await load('1', '2');
    assert.deepEqual(await report(), [['a'], ['a']]);
  });

  it('rules that rows break stop the build, and what was there stays', async () => {
    await load('1');
    await build();
    await load('1', '2');
    const rules = { not_null: true, min: 2, max: 9, in: ['1', '2'], pattern: '\\d', sql: 'id <> 3', unique: true };
    await assert.rejects(build({ expect: { expect: { id: rules } } }), {
      code: 'rejected',
      message: /model report: 1 rows break the rule min of id/,
    });
    await assert.rejects(build({ expect: { expect: { status: { unique: true } } } }), {
      code: 'rejected',
      message: /2 rows break the rule unique/,
    });
    assert.deepEqual(await report(), [['1', 'a']]);
    await build({ expect: { expect: { id: { ...rules, min: 1 } } } });
  });

  it('none runs the rules over the query alone', async () => {
    await load('1');
    const none = model({ build: 'none' });
    const { into: _, ...without } = none;
    assert.deepEqual(await under.warehouse.build(without, attempt('build')), { skipped: false, rows: 0, notes: [] });
    await assert.rejects(under.warehouse.build({ ...without, expect: { expect: { id: { min: 2 } } } }, attempt('build')), {
      code: 'rejected',
    });
  });

  it("a mistake in the query is told in the database's words", async () => {
    await load('1');
    await assert.rejects(build({ sql: 'SELECT sttus FROM shop.orders' }), {
      code: 'config',
      message: /model report: the query doesn't work: column "sttus" does not exist/,
    });
  });

  it("a table that Millrace didn't make is not written", async () => {
    await load('1');
    await under.client.query('CREATE SCHEMA finance; CREATE TABLE finance.report (id bigint)');
    await assert.rejects(build(), { code: 'config', message: /finance\.report exists and Millrace didn't make it/ });
    await assert.rejects(build({ into: { schema: 'shop', table: 'orders' } }), { code: 'config', message: /belongs to shop/ });
  });

  it('a key that is not unique stops the build', async () => {
    await load('1', '2');
    await assert.rejects(build({ key: ['status'] }), { code: 'rejected', message: /2 rows break the rule key of status/ });
  });
});
