import assert from 'node:assert/strict';
import type { Warehouse } from '../../connectors/connector.ts';
import type { Committed, Load, StreamState } from '../../schema/load.ts';
import { attempt, chunks, commitFiles, csv, deliver, loadFiles, makeLoad, rejectionFile } from './loads.ts';

/** What the kit needs of a warehouse under test; rows are arrays of texts and NULLs, ordered by all columns. */
export interface WarehouseHarness {
  readonly warehouse: Warehouse;
  state(): Promise<StreamState>;
  /** Columns of `shop.orders`. */
  orders(columns: string): Promise<readonly (readonly unknown[])[]>;
}

const counts = (committed: Committed): readonly number[] => [
  committed.read,
  committed.loaded,
  committed.rejected,
  committed.duplicates,
  committed.unchanged,
  committed.deleted,
];

const one = csv([
  ['1', 'new', '2024-01-01 00:00:00.000001+00'],
  ['2', '', '2024-01-02 00:00:00+00'],
  ['3', null, null],
]);

const merge = { mode: 'merge', cursor: 'updated_at' } as const;
const day = '2024-01-01 00:00:00+00';

/** The promises of the warehouse role; call inside `describe`. */
export function warehouseKit(harness: WarehouseHarness): void {
  const next = (given: Parameters<typeof makeLoad>[0], version: number): Load => makeLoad({ ...given, expectedVersion: version });

  it('replace delivers what was read, all of it and nothing else', async () => {
    const first = await deliver(harness.warehouse, makeLoad({ definition: { mode: 'replace' } }), [one]);
    assert.deepEqual(counts(first), [3, 3, 0, 0, 0, 0]);
    assert.deepEqual(await harness.orders('id, status, updated_at'), [
      ['1', 'new', '2024-01-01 00:00:00.000001+00'],
      ['2', '', '2024-01-02 00:00:00+00'],
      ['3', null, null],
    ]);
    await deliver(harness.warehouse, next({ definition: { mode: 'replace' } }, 1), [csv([['9', 'x', null]])]);
    assert.deepEqual(await harness.orders('id'), [['9']]);
  });

  it('append adds every row', async () => {
    const append: Parameters<typeof makeLoad>[0] = { definition: { mode: 'append', key: [] } };
    await deliver(harness.warehouse, makeLoad(append), [one]);
    const second = await deliver(harness.warehouse, next(append, 1), [csv([['1', 'again', null]]), csv([['5', null, null]])]);
    assert.deepEqual(counts(second), [2, 2, 0, 0, 0, 0]);
    assert.deepEqual(await harness.orders('id'), [['1'], ['1'], ['2'], ['3'], ['5']]);
  });

  it('append that reads back drops what it has, by key and cursor', async () => {
    const append = { definition: { mode: 'append', cursor: 'updated_at', lookBack: '1 hour' } } as const;
    await deliver(harness.warehouse, makeLoad(append), [one]);
    const second = await deliver(harness.warehouse, next(append, 1), [one, csv([['1', 'later', '2024-02-01 00:00:00+00']])]);
    assert.deepEqual(counts(second), [4, 1, 0, 3, 0, 0]);
  });

  it('merge brings newer rows in, never an older one, and counts what is unchanged, repeated or without a key', async () => {
    await deliver(harness.warehouse, makeLoad({ definition: merge, cursor: '2024-01-02' }), [one]);
    const rows = csv([
      ['1', 'older', '2023-01-01 00:00:00+00'],
      ['2', 'newer', '2024-01-03 00:00:00+00'],
      ['3', null, null],
      ['4', 'b', '2024-01-01 00:00:00+00'],
      ['4', 'a', '2024-01-02 00:00:00+00'],
      ['4', 'c', null],
      [null, 'no key', null],
    ]);
    const second = await deliver(harness.warehouse, next({ definition: merge, cursor: '2024-01-03' }, 1), [rows]);
    assert.deepEqual(counts(second), [7, 2, 1, 2, 2, 0]);
    assert.deepEqual(await harness.orders('id, status'), [
      ['1', 'new'],
      ['2', 'newer'],
      ['3', null],
      ['4', 'a'],
    ]);
    assert.equal((await harness.state()).cursor, '2024-01-03');
  });

  it('merge: of equal cursors the later load wins, and a NULL cursor is the oldest', async () => {
    await deliver(harness.warehouse, makeLoad({ definition: merge }), [
      csv([
        ['1', 'a', day],
        ['2', 'a', null],
        ['3', 'a', day],
      ]),
    ]);
    await deliver(harness.warehouse, next({ definition: merge }, 1), [
      csv([
        ['1', 'b', day],
        ['2', 'b', null],
        ['3', 'b', null],
      ]),
    ]);
    assert.deepEqual(await harness.orders('id, status'), [
      ['1', 'b'],
      ['2', 'b'],
      ['3', 'a'],
    ]);
  });

  it('the first load of a merge keeps the newest of rows that share a key: by cursor, then file, then position', async () => {
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
        [null, 'no key', day],
      ]),
    ];
    const committed = await deliver(harness.warehouse, makeLoad({ definition: merge }), files);
    assert.deepEqual(counts(committed), [8, 3, 1, 4, 0, 0]);
    assert.deepEqual(await harness.orders('id, status'), [
      ['1', 'last'],
      ['2', 'newest'],
      ['3', 'null'],
    ]);
  });

  it('history adds a version only when a value differs', async () => {
    const history = { definition: { mode: 'history', deletes: 'mark', maxDeleted: 0.5 }, complete: true } as const;
    await deliver(harness.warehouse, makeLoad(history), [one]);
    const second = await deliver(harness.warehouse, next(history, 1), [
      csv([
        ['1', 'changed', null],
        ['2', '', '2024-01-02 00:00:00+00'],
        ['4', 'new', null],
      ]),
    ]);
    assert.deepEqual(counts(second), [3, 2, 0, 0, 1, 1]);
    assert.deepEqual(await harness.orders('id, status, _is_current, _valid_to IS NULL'), [
      ['1', 'changed', 't', 't'],
      ['1', 'new', 'f', 'f'],
      ['2', '', 't', 't'],
      ['3', null, 'f', 'f'],
      ['4', 'new', 't', 't'],
    ]);
  });

  it('a complete read removes or marks what the source no longer has; a row that comes back is unmarked', async () => {
    const marking = { definition: { mode: 'merge', deletes: 'mark', maxDeleted: 0.5 }, complete: true } as const;
    await deliver(harness.warehouse, makeLoad(marking), [one]);
    const second = await deliver(harness.warehouse, next(marking, 1), [
      csv([
        ['1', 'new', '2024-01-01 00:00:00.000001+00'],
        ['2', '', '2024-01-02 00:00:00+00'],
      ]),
    ]);
    assert.deepEqual(counts(second), [2, 0, 0, 0, 2, 1]);
    assert.deepEqual(await harness.orders('id, _deleted_at IS NULL'), [
      ['1', 't'],
      ['2', 't'],
      ['3', 'f'],
    ]);
    const third = await deliver(harness.warehouse, next(marking, 2), [one]);
    assert.deepEqual(counts(third), [3, 1, 0, 0, 2, 0]);
    assert.deepEqual(await harness.orders('id, _deleted_at IS NULL'), [
      ['1', 't'],
      ['2', 't'],
      ['3', 't'],
    ]);
  });

  it('more deletes than the guard allows stop the load, an empty read above all', async () => {
    const removing = { definition: { mode: 'merge', deletes: 'remove', maxDeleted: 0.1 }, complete: true } as const;
    await deliver(harness.warehouse, makeLoad(removing), [one]);
    await assert.rejects(deliver(harness.warehouse, next(removing, 1), []), {
      code: 'rejected',
      message: /3 of 3 rows of shop\.orders are missing in the source/,
    });
    assert.deepEqual(await harness.orders('id'), [['1'], ['2'], ['3']]);
    assert.equal((await harness.state()).version, 1);
  });

  it('a rejected row is not taken for a deleted one', async () => {
    const removing = { definition: { mode: 'merge', deletes: 'remove', maxDeleted: 0.5 }, complete: true } as const;
    await deliver(harness.warehouse, makeLoad(removing), [one]);
    const load = next(removing, 1);
    const second = await deliver(
      harness.warehouse,
      load,
      [csv([['1', 'x', null]])],
      [{ key: '{"id":"2"}', rule: 'cast', column: 'status' }],
    );
    assert.deepEqual(counts(second), [2, 1, 1, 0, 0, 1]);
    assert.deepEqual(await harness.orders('id'), [['1'], ['2']]);
  });

  it('every call may come twice', async () => {
    const { warehouse } = harness;
    const load = makeLoad({ definition: merge });
    const prepared = await warehouse.prepare(load, attempt(`${load.id}:prepare:0`));
    assert.equal((await warehouse.prepare(load, attempt(`${load.id}:prepare:0`))).epoch, prepared.epoch);
    await loadFiles(warehouse, load, prepared, [one]);
    await loadFiles(warehouse, load, prepared, [one]);
    const committed = await commitFiles(warehouse, load, prepared, [one]);
    assert.deepEqual(await commitFiles(warehouse, load, prepared, [one]), committed);
    await loadFiles(warehouse, load, prepared, [one]);
    assert.equal((await warehouse.prepare(load, attempt(`${load.id}:prepare:0`))).epoch, prepared.epoch);
    await warehouse.discard(load, prepared, chunks(rejectionFile([]).bytes), 'too late', attempt(`${load.id}:discard:0`));
    assert.deepEqual(await harness.orders('id'), [['1'], ['2'], ['3']]);
    assert.equal((await harness.state()).version, 1);
  });

  it('a load that is given up leaves rows, cursor and books as they were, twice too', async () => {
    const { warehouse } = harness;
    await deliver(warehouse, makeLoad({ definition: merge, cursor: 'a' }), [one]);
    const load = next({ definition: merge, cursor: 'b' }, 1);
    const prepared = await warehouse.prepare(load, attempt(`${load.id}:prepare:0`));
    await loadFiles(warehouse, load, prepared, [csv([['7', 'x', null]])]);
    for (let no = 0; no < 2; no++) {
      await warehouse.discard(
        load,
        prepared,
        chunks(rejectionFile([{ rule: 'cast', column: 'id' }]).bytes),
        'cancelled',
        attempt(`${load.id}:discard:0`),
      );
    }
    assert.deepEqual(await harness.orders('id'), [['1'], ['2'], ['3']]);
    assert.deepEqual([(await harness.state()).version, (await harness.state()).cursor], [1, 'a']);
    await assert.rejects(commitFiles(warehouse, load, prepared, []), { code: 'fenced' });
  });

  it('a load of no rows moves the cursor and counts', async () => {
    await deliver(harness.warehouse, makeLoad({ definition: merge, cursor: 'a' }), [one]);
    assert.deepEqual(counts(await deliver(harness.warehouse, next({ definition: merge, cursor: 'b' }, 1), [])), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual([(await harness.state()).version, (await harness.state()).cursor], [2, 'b']);
  });

  it('a full refresh builds the target anew under a new generation', async () => {
    await deliver(harness.warehouse, makeLoad({ definition: merge, cursor: 'a' }), [one]);
    await deliver(harness.warehouse, next({ definition: merge, cursor: 'b', generation: 1 }, 1), [csv([['8', 'only', null]])]);
    assert.deepEqual(await harness.orders('id'), [['8']]);
    assert.equal((await harness.state()).generation, 1);
  });
}
