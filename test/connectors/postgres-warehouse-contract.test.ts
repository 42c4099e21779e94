import assert from 'node:assert/strict';
import type { Column } from '../../schema/column.ts';
import type { StreamDefinition } from '../../schema/definition.ts';
import type { Load } from '../../schema/load.ts';
import { attempt, csv, deliver, makeLoad, orderColumns, type Value } from '../kits/loads.ts';
import { useWarehouse } from '../kits/postgres-warehouse.ts';

const id: Column = { name: 'id', type: 'integer' };

describe('PostgreSQL as warehouse: contract, fingerprint and ownership', () => {
  const under = useWarehouse();
  let version = 0;
  beforeEach(() => (version = 0));

  const load = async (
    columns: readonly Column[],
    rows: readonly (readonly Value[])[],
    definition: Partial<StreamDefinition> = {},
    more: Partial<Load> = {},
  ) => {
    const committed = await deliver(under.warehouse, makeLoad({ columns, definition, expectedVersion: version, ...more }), [csv(rows)]);
    version = committed.version;
    return committed;
  };
  const types = async (): Promise<unknown> =>
    (
      await under.rows(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'shop.orders'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT LIKE '\\_%' ORDER BY attname",
      )
    ).map((row) => row.join(' '));

  for (const mode of ['merge', 'replace', 'append', 'history'] as const) {
    it(`${mode}: a new column is added, a removed one stays and gets NULL`, async () => {
      await load([id, { name: 'a', type: 'text' }], [['1', 'x']], { mode });
      const next = { columns: [id, { name: 'b', type: 'text' }], definition: { mode }, expectedVersion: version };
      const { notes } = await under.warehouse.prepare(makeLoad(next), attempt());
      assert.equal(notes.includes('column b text is added; rows loaded before have NULL there'), mode !== 'replace');
      const done = await load(next.columns, [['2', 'y']], { mode });
      assert.deepEqual(done.notes, ['column a is gone from the source: it stays, and new rows get NULL there']);
      assert.deepEqual(await under.rows('SELECT id, a, b FROM shop.orders WHERE id = 2'), [['2', null, 'y']]);
    });
  }

  it('freeze refuses a new column, discard leaves it out', async () => {
    await load([id], [['1']]);
    const more = [id, { name: 'b', type: 'text' }];
    await assert.rejects(load(more, [['2', 'y']], { contract: { columns: 'freeze', types: 'freeze' } }), {
      code: 'schema',
      message: /new columns \(b text\).*freeze/,
    });
    const committed = await load(more, [['2', 'y']], { contract: { columns: 'discard', types: 'discard' } });
    assert.deepEqual(await types(), ['id integer']);
    assert.match(committed.notes.join(), /column b is not delivered/);
  });

  it('a wider type widens the target, without loss', async () => {
    const was = ['integer', 'numeric(6,2)', 'varchar(3)', 'date', 'integer[]', 'real'];
    const is = ['bigint', 'numeric(9,3)', 'varchar(5)', 'text', 'bigint[]', 'double'];
    const columns = (of: readonly string[]): readonly Column[] => [id, ...of.map((type, at) => ({ name: `c${at}`, type }))];
    await load(columns(was), [['1', '1', '1.5', 'abc', '2024-01-01', '{1}', '1.5']]);
    await load(columns(is), [['2', '5000000000', '1.555', 'abcde', 'any', '{5000000000}', '0.1']]);
    assert.deepEqual(await types(), [
      'c0 bigint',
      'c1 numeric(9,3)',
      'c2 character varying(5)',
      'c3 text',
      'c4 bigint[]',
      'c5 double precision',
      'id integer',
    ]);
    await load(columns(was), [['3', '1', '1.5', 'abc', '2024-01-01', '{1}', '1.5']]);
    assert.deepEqual(await under.rows('SELECT c0, c1, c2, c3, c4, c5 FROM shop.orders WHERE id = 3'), [
      ['1', '1.500', 'abc', '2024-01-01', '{1}', '1.5'],
    ]);
  });

  it('a lossy change is refused with the remedy, and a full refresh takes it', async () => {
    await load([id, { name: 'a', type: 'numeric(10,2)' }], [['1', '1.50']]);
    await assert.rejects(load([id, { name: 'a', type: 'integer' }], [['1', '1']]), {
      code: 'schema',
      message: /column a of shop\.orders is numeric\(10,2\) and now comes as integer.*--full-refresh/,
    });
    await load([id, { name: 'a', type: 'integer' }], [['1', '1']], {}, { generation: 1 });
    assert.deepEqual(await types(), ['a integer', 'id integer']);
  });

  it('a view in the way of widening is named', async () => {
    await load([id, { name: 'a', type: 'integer' }], [['1', '1']]);
    await under.client.query('CREATE VIEW shop.report AS SELECT a FROM shop.orders');
    await assert.rejects(load([id, { name: 'a', type: 'bigint' }], [['1', '1']]), {
      code: 'schema',
      message: /column a .* view shop\.report uses it/,
    });
  });

  it('a changed fingerprint is refused with the difference; a changed transform only warns', async () => {
    const first = makeLoad({ cursor: 'x' });
    await deliver(under.warehouse, first, []);
    const changed = makeLoad({ expectedVersion: 1, fingerprint: { ...first.fingerprint, source: 'source-2', key: ['status'] } });
    await assert.rejects(deliver(under.warehouse, changed, []), {
      code: 'config',
      message: /source was source-1 and is source-2; key was id and is status.*--full-refresh/,
    });
    const transformed = makeLoad({ expectedVersion: 1, fingerprint: { ...first.fingerprint, transform: 'other' } });
    assert.match((await under.warehouse.prepare(transformed, attempt())).notes.join(), /transform changed/);
  });

  it('a missing target is refused until a full refresh, prepared twice', async () => {
    await load(orderColumns, [['1', 'a', null]]);
    await under.client.query('DROP TABLE shop.orders');
    assert.equal((await under.state()).targetExists, false);
    await assert.rejects(load(orderColumns, [['1', 'a', null]]), { code: 'config', message: /shop\.orders is missing.*--full-refresh/ });
    const full = makeLoad({ expectedVersion: 1, generation: 1 });
    await under.warehouse.prepare(full, attempt());
    await deliver(under.warehouse, full, [csv([['5', 'b', null]])]);
    assert.deepEqual(await under.rows('SELECT id FROM shop.orders'), [['5']]);
  });

  it("a table that Millrace didn't make is refused by name, and merged into once adopted", async () => {
    await under.client.query('CREATE SCHEMA shop; CREATE TABLE shop.orders (id bigint PRIMARY KEY, status text, note text)');
    await under.client.query("INSERT INTO shop.orders VALUES (1, 'a', 'by hand'), (2, 'b', 'by hand')");
    await assert.rejects(load(orderColumns, [['1', 'x', null]]), {
      code: 'config',
      message: /table shop\.orders exists and Millrace didn't make it.*adopt/,
    });
    await load(orderColumns, [['1', 'x', null]], { adopt: true });
    assert.deepEqual(await under.rows('SELECT id, status, note, _load_id IS NULL FROM shop.orders ORDER BY id'), [
      ['1', 'x', 'by hand', 'f'],
      ['2', 'b', 'by hand', 't'],
    ]);
  });

  it("another stream's table is refused by name", async () => {
    await load(orderColumns, []);
    await assert.rejects(deliver(under.warehouse, makeLoad({ stream: 'other' }), []), {
      code: 'config',
      message: /shop\.orders belongs to stream public\.orders/,
    });
  });

  it('merge into an adopted table without a key says what it needs', async () => {
    await under.client.query('CREATE SCHEMA shop; CREATE TABLE shop.orders (id bigint)');
    await assert.rejects(load(orderColumns, [], { adopt: true }), { code: 'config', message: /no primary key or unique index on id/ });
  });

  it('a column with a name of ours is refused', async () => {
    await assert.rejects(load([id, { name: '_load_id', type: 'text' }], []), {
      code: 'config',
      message: /_load_id has the name of a column that Millrace adds/,
    });
  });

  it('an older worker refuses newer books with a sentence', async () => {
    await under.client.query('INSERT INTO _millrace.version (version) VALUES (999)');
    await assert.rejects(under.state(), { code: 'config', message: /have version 999.*update this worker/ });
    await under.client.query('DELETE FROM _millrace.version WHERE version = 999');
  });

  it('many workers that start at once make the books once, and PUBLIC may not see them', async () => {
    await under.client.query('DROP SCHEMA _millrace CASCADE');
    await Promise.all(Array.from({ length: 6 }, async () => await under.state()));
    await under.client.query('CREATE ROLE millrace_nobody');
    try {
      assert.deepEqual(
        await under.rows(
          "SELECT has_schema_privilege('millrace_nobody', '_millrace', 'USAGE'), has_table_privilege('millrace_nobody', '_millrace.rejections', 'SELECT')",
        ),
        [['f', 'f']],
      );
    } finally {
      await under.client.query('DROP ROLE millrace_nobody');
    }
  });
});
