import assert from 'node:assert/strict';
import type { Committed } from '../../schema/load.ts';
import { csv, deliver, makeLoad, type Value } from '../kits/loads.ts';
import { until, useWarehouse } from '../kits/postgres-warehouse.ts';

describe('PostgreSQL as warehouse: what hangs on a replaced table', () => {
  const under = useWarehouse();
  let version = 0;
  beforeEach(() => (version = 0));

  const replace = async (rows: readonly (readonly Value[])[], key: string[] = ['id']): Promise<Committed> => {
    const committed = await deliver(under.warehouse, makeLoad({ definition: { mode: 'replace', key }, expectedVersion: version }), [
      csv(rows),
    ]);
    version = committed.version;
    return committed;
  };
  const oid = async (): Promise<unknown> => (await under.rows("SELECT 'shop.orders'::regclass::oid"))[0]?.[0];

  it('grants, owner, comments, indexes, constraints, options and statistics targets are copied by the swap', async () => {
    await replace([['1', 'a', null]]);
    await under.client.query(
      `CREATE ROLE "millrace reader"; CREATE ROLE millrace_owner; GRANT CREATE, USAGE ON SCHEMA shop TO millrace_owner`,
    );
    try {
      await under.client.query(`
        COMMENT ON TABLE shop.orders IS 'Orders, it''s all'; COMMENT ON COLUMN shop.orders.status IS 'State';
        GRANT SELECT ON shop.orders TO "millrace reader" WITH GRANT OPTION; GRANT UPDATE (status) ON shop.orders TO "millrace reader"; GRANT SELECT ON shop.orders TO PUBLIC;
        CREATE INDEX "by status" ON shop.orders (lower(status)) WHERE status IS NOT NULL; COMMENT ON INDEX shop."by status" IS 'fast';
        CREATE UNIQUE INDEX orders_unique ON shop.orders (id, status) INCLUDE (updated_at);
        ALTER TABLE shop.orders ADD CONSTRAINT short CHECK (length(status) < 10), ADD CONSTRAINT once UNIQUE (id, updated_at);
        ALTER TABLE shop.orders SET (fillfactor = 71, toast.autovacuum_enabled = false); ALTER TABLE shop.orders ALTER status SET STATISTICS 500, ALTER status SET (n_distinct = 5), ALTER status SET STORAGE EXTERNAL;
        ALTER TABLE shop.orders OWNER TO millrace_owner`);
      const look = async () => [
        await under.rows(
          "SELECT obj_description(oid), relacl, reloptions, relowner::regrole, (SELECT reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid) FROM pg_class c WHERE oid = 'shop.orders'::regclass",
        ),
        await under.rows(
          "SELECT attname, attacl, attstattarget, attoptions, attstorage, attnotnull, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'shop.orders'::regclass AND attnum > 0 ORDER BY attnum",
        ),
        await under.rows(
          "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid), obj_description(indexrelid) FROM pg_index WHERE indrelid = 'shop.orders'::regclass ORDER BY indexrelid::regclass::text::text",
        ),
        await under.rows(
          "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shop.orders'::regclass ORDER BY 1",
        ),
      ];
      const [before, was] = [await look(), await oid()];
      await replace([['2', 'b', null]]);
      assert.notEqual(await oid(), was);
      assert.deepEqual(await look(), before);
      await replace([['3', 'b', null]]);
      assert.deepEqual(await look(), before);
    } finally {
      await under.client.query(
        'DROP OWNED BY "millrace reader", millrace_owner CASCADE; DROP ROLE "millrace reader"; DROP ROLE millrace_owner',
      );
      await under.client.query('DELETE FROM _millrace.state');
      await under.client.query('DELETE FROM _millrace.loads');
    }
  });

  for (const mode of ['replace', 'merge', 'history'] as const) {
    for (const view of [false, true]) {
      it(`${mode}: a full refresh under another key makes that the primary key, ${view ? 'in place' : 'by swap'}`, async () => {
        let generation = 0;
        const load = async (key: string[], rows: readonly (readonly Value[])[]): Promise<void> => {
          const definition = { mode, key };
          const done = await deliver(under.warehouse, makeLoad({ definition, expectedVersion: version, generation: generation++ }), [
            csv(rows),
          ]);
          version = done.version;
        };
        await load(['status'], [['1', 'a', null]]);
        if (view) await under.client.query('CREATE VIEW shop.dependent AS SELECT * FROM shop.orders');
        await load(['id'], [['1', 'a', null], ['2', 'a', null], ['3', null, null]]); // prettier-ignore
        const key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shop.orders'::regclass AND contype = 'p'";
        const more = mode === 'history' ? ', _valid_from' : '';
        assert.deepEqual(await under.rows(key), [[`PRIMARY KEY (id${more})`]]);
        await load(['id', 'status'], [['1', 'a', null], ['1', 'b', null]]); // prettier-ignore
        assert.deepEqual(await under.rows(key), [[`PRIMARY KEY (id, status${more})`]]);
        assert.deepEqual(await under.rows('SELECT id, status FROM shop.orders ORDER BY 2'), [['1', 'a'], ['1', 'b']]); // prettier-ignore
      });
    }
  }

  it('a primary key that a foreign key hangs on is not replaced by another', async () => {
    await replace([['1', 'a', null]]);
    await under.client.query('CREATE TABLE shop.dependent (id bigint REFERENCES shop.orders)');
    const other = makeLoad({ definition: { mode: 'replace', key: ['status'] }, expectedVersion: version, generation: 1 });
    await assert.rejects(deliver(under.warehouse, other, [csv([['1', 'a', null]])]), {
      code: 'config',
      message: /primary key \(id\) of shop\.orders can't be replaced: .*dependent.*drop what hangs on it/,
    });
  });

  it("a first load takes the schema's default privileges", async () => {
    await under.client.query('CREATE SCHEMA shop; ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO PUBLIC');
    await replace([['1', 'a', null]]);
    assert.match(String((await under.rows("SELECT relacl FROM pg_class WHERE oid = 'shop.orders'::regclass"))[0]?.[0]), /[{,]=r\/postgres/);
  });

  for (const [what, make] of Object.entries({
    view: 'CREATE VIEW shop.dependent AS SELECT * FROM shop.orders',
    'materialized view': 'CREATE MATERIALIZED VIEW shop.dependent AS SELECT count(*) FROM shop.orders',
    'foreign key': 'CREATE TABLE shop.dependent (id bigint REFERENCES shop.orders); INSERT INTO shop.dependent VALUES (1)',
    'cascading foreign key':
      'CREATE TABLE shop.dependent (id bigint REFERENCES shop.orders ON DELETE CASCADE); INSERT INTO shop.dependent VALUES (1)',
    policy: 'CREATE POLICY own ON shop.orders USING (status = current_user); ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY',
    trigger: `CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.f()`,
    publication: 'CREATE PUBLICATION out FOR TABLE shop.orders; ALTER TABLE shop.orders REPLICA IDENTITY DEFAULT',
    rule: 'CREATE TABLE shop.log (id bigint); CREATE RULE r AS ON DELETE TO shop.orders DO ALSO INSERT INTO shop.log VALUES (OLD.id)',
    inheritance: 'CREATE TABLE shop.dependent () INHERITS (shop.orders)',
    default: "ALTER TABLE shop.orders ALTER status SET DEFAULT 'x'",
    statistics: 'CREATE STATISTICS shop.s ON id, status FROM shop.orders',
    'row type': 'CREATE FUNCTION shop.f(o shop.orders) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  })) {
    it(`${what}: the table is filled in place and everything on it survives`, async () => {
      await replace([
        ['1', 'a', null],
        ['2', 'same', null],
      ]);
      await under.client.query(make);
      const was = await oid();
      const committed = await replace([
        ['1', 'b', null],
        ['2', 'same', null],
        ['3', 'c', null],
      ]);
      assert.equal(await oid(), was);
      assert.deepEqual([committed.loaded, committed.unchanged], what === 'rule' ? [3, 0] : [2, 1]);
      assert.deepEqual(await under.rows('SELECT id, status FROM ONLY shop.orders ORDER BY id'), [
        ['1', 'b'],
        ['2', 'same'],
        ['3', 'c'],
      ]);
      if (what.endsWith('foreign key')) assert.deepEqual(await under.rows('SELECT id FROM shop.dependent'), [['1']]);
    });
  }

  it('in place without a key all rows are replaced, and repeated keys are settled before', async () => {
    await replace([['1', 'a', null]], []);
    await under.client.query('CREATE VIEW shop.dependent AS SELECT * FROM shop.orders');
    assert.equal(
      (
        await replace(
          [
            ['1', 'a', null],
            ['1', 'a', null],
          ],
          [],
        )
      ).loaded,
      2,
    );
    assert.deepEqual(await under.rows('SELECT id FROM shop.dependent'), [['1'], ['1']]);
  });

  it('a row that a foreign key needs and the source lost stops the load with the constraint named', async () => {
    await replace([['1', 'a', null]]);
    await under.client.query(
      'CREATE TABLE shop.dependent (id bigint CONSTRAINT needs_order REFERENCES shop.orders); INSERT INTO shop.dependent VALUES (1)',
    );
    await assert.rejects(replace([['2', 'b', null]]), { code: 'schema', message: /needs_order/ });
    assert.deepEqual(await under.rows('SELECT id FROM shop.orders'), [['1']]);
  });

  it('a reader of the old table is waited for, and sees the old rows to its end', async () => {
    await replace([['1', 'a', null]]);
    const reader = await under.session();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.query('SELECT id FROM shop.orders');
    const swapping = replace([['2', 'b', null]]);
    await until(
      under.client,
      "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND relation = 'shop.orders'::regclass)",
    );
    assert.deepEqual((await reader.query('SELECT id FROM shop.orders')).rows, [{ id: '1' }]);
    await reader.query('COMMIT');
    await swapping;
    assert.deepEqual(await under.rows('SELECT id FROM shop.orders'), [['2']]);
  });
});
