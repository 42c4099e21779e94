import assert from 'node:assert/strict';
import { MillraceError } from '../../schema/errors.ts';
import { attempt, chunks, csv, deliver, loadFiles, makeLoad, rejectionFile } from '../kits/loads.ts';
import { useWarehouse } from '../kits/postgres-warehouse.ts';

const shop = { project: 'test', pipeline: 'shop' };
const orders = { ...shop, stream: 'public.orders' };
const one = csv([['1', 'a', null]]);

describe('PostgreSQL as warehouse: books', () => {
  const under = useWarehouse();
  const books = () => under.warehouse.books;
  const rejected = async (all = false): Promise<unknown> =>
    (await books().listRejections({ ...shop, limit: 10_000, all }, attempt())).map((row) => [row.key, row.rule, row.closedAt === null]);

  it('lists committed and failed loads, the latest first, with their counts', async () => {
    await deliver(under.warehouse, makeLoad({ cursor: 'x' }), [one], [{ rule: 'cast' }]);
    const failed = makeLoad({ expectedVersion: 1 });
    const prepared = await under.warehouse.prepare(failed, attempt());
    await loadFiles(under.warehouse, failed, prepared, [one]);
    await under.warehouse.discard(
      failed,
      prepared,
      chunks(rejectionFile([{ rule: 'cast' }, { rule: 'min' }]).bytes),
      'too many rejections',
      attempt(),
    );
    const loads = await books().listLoads({ ...shop, limit: 5 }, attempt());
    assert.deepEqual(
      loads.map((load) => [
        load.stream,
        load.outcome,
        load.reason,
        load.counts.read,
        load.counts.loaded,
        load.counts.rejected,
        load.cursor,
      ]),
      [
        ['public.orders', 'failed', 'too many rejections', 0, 0, 2, null],
        ['public.orders', 'committed', null, 2, 1, 1, 'x'],
      ],
    );
    assert.match(loads[0]?.at ?? '', /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.deepEqual((await books().listLoads({ ...shop, limit: 1 }, attempt())).length, 1);
    assert.equal((await books().listRejections({ ...shop, limit: 9, loadId: failed.id }, attempt())).length, 2);
  });

  it('keeps a thousand rejections of a rule and counts all', async () => {
    const many = Array.from({ length: 1500 }, (_, at) => ({
      rule: at % 3 === 0 ? 'min' : 'cast',
      column: 'status',
      position: String(at),
      row: '{"a":"\\u0000"}',
    }));
    const committed = await deliver(under.warehouse, makeLoad(), [one], [...many, ...many]);
    assert.equal(committed.rejected, 3000);
    const kept = await books().listRejections({ ...orders, limit: 10_000 }, attempt());
    assert.deepEqual([kept.filter((row) => row.rule === 'min').length, kept.filter((row) => row.rule === 'cast').length], [1000, 1000]);
    const next = await books().listRejections({ ...orders, limit: 5, after: kept[9]?.id ?? '' }, attempt());
    assert.deepEqual(next, kept.slice(10, 15));
  });

  it('a rejection is open until its row is loaded under the same key, or refused anew', async () => {
    await deliver(
      under.warehouse,
      makeLoad(),
      [one],
      [
        { key: '{"id":"7"}', rule: 'cast' },
        { key: '{"id":"8"}', rule: 'cast' },
        { key: '{"id":"9"}', rule: 'cast' },
      ],
    );
    await deliver(
      under.warehouse,
      makeLoad({ expectedVersion: 1 }),
      [csv([['7', 'now fine', null]])],
      [{ key: '{"id":"8"}', rule: 'min' }],
    );
    assert.deepEqual(await rejected(), [
      ['{"id":"9"}', 'cast', true],
      ['{"id":"8"}', 'min', true],
    ]);
    assert.deepEqual(await rejected(true), [
      ['{"id":"7"}', 'cast', false],
      ['{"id":"8"}', 'cast', false],
      ['{"id":"9"}', 'cast', true],
      ['{"id":"8"}', 'min', true],
    ]);
  });

  it('a replace closes what earlier loads of the stream refused', async () => {
    const replace = { definition: { mode: 'replace' } } as const;
    await deliver(under.warehouse, makeLoad(replace), [one], [{ rule: 'cast' }]);
    await deliver(under.warehouse, makeLoad({ ...replace, expectedVersion: 1 }), [one], [{ rule: 'min' }]);
    assert.deepEqual(await rejected(), [[null, 'min', true]]);
  });

  it('protected columns of rows without a key are masked', async () => {
    await deliver(under.warehouse, makeLoad({ definition: { protect: ['status'] } }), [csv([[null, 'secret', null]])]);
    const [row] = await books().listRejections({ ...shop, limit: 5 }, attempt());
    assert.deepEqual(JSON.parse(row?.row ?? ''), { id: null, status: '***', updated_at: null });
  });

  it('a row without a key fails the load under on_failure: fail', async () => {
    await assert.rejects(deliver(under.warehouse, makeLoad({ definition: { onFailure: 'fail' } }), [csv([[null, 'x', null]])]), {
      code: 'rejected',
      message: /no value in the key/,
    });
  });

  it('lists where streams stand, and sets a cursor so that a load under way is planned again', async () => {
    await deliver(under.warehouse, makeLoad({ cursor: 'x' }), [one]);
    const going = makeLoad({ expectedVersion: 1 });
    const prepared = await under.warehouse.prepare(going, attempt());
    await books().setCursor(orders, 'y', attempt());
    await books().setCursor(orders, 'y', attempt());
    const [stream] = await books().listStreams(shop, attempt());
    assert.deepEqual(
      [stream?.stream, stream?.cursor, stream?.version, stream?.target, stream?.targetExists],
      ['public.orders', 'y', 2, { schema: 'shop', table: 'orders' }, true],
    );
    await assert.rejects(
      under.warehouse.commit(
        going,
        prepared,
        { files: [], rejections: [], read: 0, rejected: 0, filtered: 0, duplicates: 0 },
        chunks(Buffer.alloc(0)),
        attempt(),
      ),
      { code: 'conflict' },
    );
    await assert.rejects(books().setCursor({ ...shop, stream: 'order' }, 'y', attempt()), {
      code: 'not-found',
      message: /no stream order in the books; it has public\.orders/,
    });
  });

  it('a renamed stream goes on from where it stood', async () => {
    await deliver(under.warehouse, makeLoad({ cursor: 'x' }), [one]);
    await books().renameStream(orders, 'sales.orders', attempt());
    await books().renameStream(orders, 'sales.orders', attempt());
    const state = await under.state('sales.orders');
    assert.equal(state.cursor, 'x');
    const load = makeLoad({ stream: 'sales.orders', expectedVersion: state.version });
    await deliver(under.warehouse, load, [csv([['2', 'b', null]])]);
    assert.deepEqual(await under.rows('SELECT id FROM shop.orders ORDER BY id'), [['1'], ['2']]);
    await deliver(under.warehouse, makeLoad({ target: { schema: 'shop', table: 'other' } }), []);
    await assert.rejects(
      books().renameStream(orders, 'sales.orders', attempt()),
      (error) => error instanceof MillraceError && error.code === 'config',
    );
  });

  it('tables that dead loads left are dropped in time', async () => {
    const load = makeLoad();
    const prepared = await under.warehouse.prepare(load, attempt());
    await under.client.query('DELETE FROM _millrace.fence');
    await under.warehouse.retain({ ...shop, rejections: 1000, loads: 1000 }, attempt());
    assert.deepEqual(await under.rows('SELECT to_regclass($1)', [prepared.table]), [[null]]);
  });
});
