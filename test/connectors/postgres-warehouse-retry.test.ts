import assert from 'node:assert/strict';
import { MillraceError } from '../../schema/errors.ts';
import { attempt, commitFiles, csv, deliver, loadFiles, makeLoad } from '../kits/loads.ts';
import { useWarehouse } from '../kits/postgres-warehouse.ts';

const shop = { project: 'test', pipeline: 'shop', stream: 'public.orders' };
const append = { mode: 'append' as const, key: [] };

describe('PostgreSQL as warehouse: retries', () => {
  const under = useWarehouse();
  const ids = async (): Promise<readonly string[]> =>
    (await under.warehouse.books.listRejections({ ...shop, limit: 10_000 }, attempt())).map((row) => row.id);

  it('delivers nothing when a rejection that it took up is open no longer', async () => {
    const first = makeLoad({ definition: append });
    await deliver(under.warehouse, first, [csv([['1', 'a', null]])], [{ partition: '0', position: '7', rule: 'cast' }]);
    const retries = [await ids()];
    const taken = makeLoad({ definition: append, expectedVersion: 1, retries });
    await deliver(under.warehouse, taken, [csv([['2', 'b', null]])]);
    const again = makeLoad({ definition: append, expectedVersion: 2, retries });
    await assert.rejects(
      deliver(under.warehouse, again, [csv([['2', 'b', null]])]),
      (error) => error instanceof MillraceError && error.code === 'conflict',
    );
    assert.deepEqual(await under.rows('SELECT id FROM shop.orders ORDER BY id'), [['1'], ['2']]);
  });

  it('keeps all that is refused again, at the place where it was read first, and a second commit changes nothing', async () => {
    const rejected = Array.from({ length: 900 }, (_, at) => ({ partition: '3', file: 'a.csv', position: String(at + 100), rule: 'cast' }));
    await deliver(under.warehouse, makeLoad({ definition: append }), [csv([['1', 'a', null]])], rejected);
    await deliver(under.warehouse, makeLoad({ definition: append, expectedVersion: 1 }), [csv([['2', 'b', null]])], rejected);
    const load = makeLoad({ definition: append, expectedVersion: 2, retries: [await ids()] });
    const prepared = await under.warehouse.prepare(load, attempt());
    await loadFiles(under.warehouse, load, prepared, [csv([])]);
    const anew = Array.from({ length: 1800 }, (_, at) => ({ partition: '0', file: '', position: String(at + 1), rule: 'min' }));
    const committed = await commitFiles(under.warehouse, load, prepared, [csv([])], anew);
    assert.deepEqual([committed.read, committed.rejected], [1800, 1800]);
    assert.deepEqual(await commitFiles(under.warehouse, load, prepared, [csv([])], anew), committed);
    const open = await under.warehouse.books.listRejections({ ...shop, limit: 10_000 }, attempt());
    assert.equal(open.length, 1800);
    assert.deepEqual([open[0]?.rule, open[0]?.partition, open[0]?.file, open[0]?.position], ['min', '3', 'a.csv', '100']);
    assert.equal(open[1799]?.position, '999');
  });

  it('has nothing left to take up once the stream was read completely again', async () => {
    const complete = { definition: { mode: 'merge' as const }, complete: true };
    await deliver(under.warehouse, makeLoad(complete), [csv([['1', 'a', null]])], [{ partition: '0', position: '7', rule: 'csv' }]);
    assert.equal((await ids()).length, 1);
    await deliver(under.warehouse, makeLoad({ ...complete, expectedVersion: 1, complete: false }), [csv([['2', 'a', null]])]);
    assert.equal((await ids()).length, 1);
    await deliver(under.warehouse, makeLoad({ ...complete, expectedVersion: 2 }), [csv([['1', 'a', null]])]);
    assert.deepEqual(await ids(), []);
  });
});
