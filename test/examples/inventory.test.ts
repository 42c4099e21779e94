import assert from 'node:assert/strict';
import { assertBooksBalance } from '../kits/books.ts';
import { until } from '../workflows/until.ts';
import { openExample, type Example } from './example-kit.ts';

describe('the example inventory', function () {
  this.timeout(240_000);
  let example: Example;

  before(async () => {
    example = await openExample('inventory', { source: 'SHOP_URL' });
  });

  after(async () => {
    await assertBooksBalance(example.warehouseUrl);
    await example[Symbol.asyncDispose]();
  });

  const runStock = async () => {
    const outcome = await example.run('stock');
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return new Map(outcome.report?.streams.map((stream) => [stream.stream, stream]));
  };
  const outOfStock = async (): Promise<string[]> =>
    (await example.warehouse('SELECT site, sku FROM stock.out_of_stock ORDER BY 1, 2')).map(({ site, sku }) => `${site}: ${sku}`);

  it('begins with one version of each stock level, and every delivery', async () => {
    const streams = await runStock();
    assert.deepEqual([streams.get('levels')?.loaded, streams.get('deliveries')?.loaded], [150, 50]);
    assert.deepEqual(await example.warehouse('SELECT count(*), bool_and(_is_current) AS current FROM stock.levels'), [
      { count: '150', current: 't' },
    ]);
    assert.deepEqual(
      await outOfStock(),
      (await example.source(`SELECT site || ': ' || sku AS name FROM levels WHERE quantity = 0 ORDER BY site, sku`)).map(
        ({ name }) => name,
      ),
    );
  });

  it('adds a version where a level changed, and keeps the old one with its time', async () => {
    await example.source(`
      UPDATE levels SET quantity = 0 WHERE site = 'site 1' AND sku = 'sku-1';
      UPDATE levels SET quantity = quantity WHERE site = 'site 1' AND sku = 'sku-2';
      UPDATE levels SET quantity = 9 WHERE site = 'site 1' AND sku = 'sku-7';
      INSERT INTO levels VALUES ('site 9', 'sku-1', 3);
      DELETE FROM levels WHERE site = 'site 3' AND sku = 'sku-50'`);
    const before = await outOfStock();
    assert.ok(before.includes('site 1: sku-7') && !before.includes('site 1: sku-1'));
    await runStock();
    const versions = await example.warehouse(
      `SELECT site, sku, quantity, _is_current AS current, _valid_to IS NULL AS open FROM stock.levels
       WHERE (site, sku) IN (SELECT site, sku FROM stock.levels GROUP BY 1, 2 HAVING count(*) > 1) OR site = 'site 9' ORDER BY site, sku, _valid_from`,
    );
    assert.deepEqual(
      versions.map((version) => Object.values(version).join(' ')),
      ['site 1 sku-1 1 f f', 'site 1 sku-1 0 t t', 'site 1 sku-7 0 f f', 'site 1 sku-7 9 t t', 'site 9 sku-1 3 t t'],
    );
    assert.deepEqual(await example.warehouse(`SELECT _is_current FROM stock.levels WHERE site = 'site 3' AND sku = 'sku-50'`), [
      { _is_current: 'f' },
    ]);
    const after = await outOfStock();
    assert.ok(!after.includes('site 1: sku-7') && after.includes('site 1: sku-1'));
  });

  it('adds new deliveries once', async () => {
    await example.source(`INSERT INTO deliveries (sku, quantity) VALUES ('sku-1', 100), ('sku-2', 200)`);
    // A row as young as this waits for the next run, until no transaction can be older than it.
    let loaded = 0;
    await until(async () => (loaded += (await runStock()).get('deliveries')?.loaded ?? 0) >= 2, 'delivery');
    assert.equal(loaded, 2);
    assert.equal((await runStock()).get('deliveries')?.read, 0);
    assert.deepEqual(await example.warehouse('SELECT count(*), count(DISTINCT id) AS ids FROM stock.deliveries'), [
      { count: '52', ids: '52' },
    ]);
  });
});
