import assert from 'node:assert/strict';
import pg from 'pg';
import type { Warehouse } from '../../connectors/connector.ts';
import { openWarehouse } from '../../connectors/postgres/warehouse/warehouse.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { attempt, csv, deliver, makeLoad } from '../kits/loads.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

describe('PostgreSQL as warehouse: modes', () => {
  let url = '';
  let client: pg.Client;
  let warehouse: Warehouse;
  const rows = async (sql: string): Promise<unknown[][]> => (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows;

  beforeEach(async () => {
    url = await createDatabase('warehouse');
    client = new pg.Client({ connectionString: url, types: { getTypeParser: () => (value: string) => value } });
    await client.connect();
    warehouse = await openWarehouse({ type: 'postgres', url }, 'warehouse', { timeout: 400, attempts: 3 });
  });

  afterEach(async () => {
    await assertBooksBalance(url);
    await warehouse[Symbol.asyncDispose]();
    await client.end();
    await dropDatabase(url);
  });

  const one = csv([
    ['1', 'new', '2024-01-01 00:00:00.000001+00'],
    ['2', '', '2024-01-02 00:00:00+00'],
    ['3', null, null],
  ]);

  it('replace makes the table, and swaps a new one in the next time', async () => {
    const first = makeLoad({ definition: { mode: 'replace' } });
    const committed = await deliver(warehouse, first, [one]);
    assert.deepEqual(
      { ...committed, notes: [] },
      { read: 3, loaded: 3, rejected: 0, filtered: 0, duplicates: 0, unchanged: 0, deleted: 0, version: 1, notes: [] },
    );
    assert.deepEqual(await rows('SELECT id, status, updated_at FROM shop.orders ORDER BY id'), [
      ['1', 'new', '2024-01-01 00:00:00.000001+00'],
      ['2', '', '2024-01-02 00:00:00+00'],
      ['3', null, null],
    ]);
    await deliver(warehouse, makeLoad({ definition: { mode: 'replace' }, expectedVersion: 1 }), [csv([['9', 'x', null]])]);
    assert.deepEqual(await rows('SELECT id, _load_id IS NOT NULL, _loaded_at IS NOT NULL FROM shop.orders'), [['9', 't', 't']]);
    assert.deepEqual(await rows("SELECT conname FROM pg_constraint WHERE conrelid = 'shop.orders'::regclass AND contype = 'p'"), [
      ['orders_pkey'],
    ]);
  });

  it('append adds every row', async () => {
    await deliver(warehouse, makeLoad({ definition: { mode: 'append', key: [] } }), [one]);
    const second = await deliver(warehouse, makeLoad({ definition: { mode: 'append', key: [] }, expectedVersion: 1 }), [one, one]);
    assert.equal(second.loaded, 6);
    assert.deepEqual(await rows('SELECT id, count(*) FROM shop.orders GROUP BY id ORDER BY id'), [
      ['1', '3'],
      ['2', '3'],
      ['3', '3'],
    ]);
  });

  it('merge brings newer rows in, leaves newer ones alone and counts what is unchanged', async () => {
    const merge = { mode: 'merge', cursor: 'updated_at' } as const;
    await deliver(warehouse, makeLoad({ definition: merge, cursor: '2024-01-02' }), [one]);
    const second = await deliver(warehouse, makeLoad({ definition: merge, expectedVersion: 1, cursor: '2024-01-03' }), [
      csv([
        ['1', 'older', '2023-01-01 00:00:00+00'],
        ['2', 'newer', '2024-01-03 00:00:00+00'],
        ['3', null, null],
        ['4', 'b', '2024-01-01 00:00:00+00'],
        ['4', 'a', '2024-01-02 00:00:00+00'],
        ['4', 'c', null],
        [null, 'no key', null],
      ]),
    ]);
    assert.deepEqual(
      { ...second, notes: [] },
      { read: 7, loaded: 2, rejected: 1, filtered: 0, duplicates: 2, unchanged: 2, deleted: 0, version: 2, notes: [] },
    );
    assert.deepEqual(await rows('SELECT id, status FROM shop.orders ORDER BY id'), [
      ['1', 'new'],
      ['2', 'newer'],
      ['3', null],
      ['4', 'a'],
    ]);
    assert.deepEqual(await rows('SELECT "column", rule, "row"::json->>\'status\' FROM _millrace.rejections'), [
      ['id', 'not_null', 'no key'],
    ]);
    assert.equal(
      (
        await warehouse.state(
          { project: 'test', pipeline: 'shop', stream: 'public.orders', target: { schema: 'shop', table: 'orders' } },
          attempt(),
        )
      ).cursor,
      '2024-01-03',
    );
  });

  it('the first load of a merge keeps the newest of rows that share a key: by cursor, then file, then position', async () => {
    const merge = { mode: 'merge', cursor: 'updated_at' } as const;
    const day = '2024-01-01 00:00:00+00';
    const files = [
      csv([
        ['1', 'a', day],
        ['1', 'b', day],
        ['2', 'newest', '2024-02-01 00:00:00+00'],
      ]),
      csv([
        ['1', 'c', day],
        ['1', 'last', day],
        ['2', 'older', day],
        ['3', 'null', null],
      ]),
    ];
    const committed = await deliver(warehouse, makeLoad({ definition: merge }), files);
    assert.deepEqual([committed.loaded, committed.duplicates], [3, 4]);
    assert.deepEqual(await rows('SELECT id, status FROM shop.orders ORDER BY id'), [
      ['1', 'last'],
      ['2', 'newest'],
      ['3', 'null'],
    ]);
  });
});
