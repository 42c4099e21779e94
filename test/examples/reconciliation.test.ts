import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assertBooksBalance } from '../kits/books.ts';
import { openExample, type Example } from './example-kit.ts';

describe('the example reconciliation', function () {
  this.timeout(240_000);
  let example: Example;

  before(async () => {
    example = await openExample('reconciliation', { source: 'LEDGER_URL' });
  });

  after(async () => {
    await assertBooksBalance(example.warehouseUrl);
    await example[Symbol.asyncDispose]();
  });

  const statuses = async (): Promise<string[]> =>
    (await example.warehouse('SELECT * FROM finance.reconciliation ORDER BY reference')).map(
      ({ reference, status, difference }) => `${reference} ${status} ${difference ?? '-'}`,
    );
  const rejections = async (open: boolean): Promise<string[]> =>
    (
      await example.warehouse(
        `SELECT file, position, "column", rule FROM _millrace.rejections WHERE (closed_at IS NULL) = ${open} ORDER BY file, position`,
      )
    ).map((rejection) => Object.values(rejection).join(' '));

  it('tells what matches, what is missing on which side, and where amounts differ', async () => {
    const ledger = await example.run('ledger');
    const bank = await example.run('bank');
    assert.ok(ledger.ok && bank.ok, JSON.stringify([ledger, bank]));
    const { read, loaded, rejected, duplicates } = bank.report?.streams[0] ?? {};
    assert.deepEqual({ read, loaded, rejected, duplicates }, { read: 8, loaded: 5, rejected: 2, duplicates: 1 });
    assert.deepEqual(await statuses(), [
      'TX1001 matched 0.00',
      'TX1002 matched 0.00',
      'TX1003 amount differs -0.81',
      'TX1004 missing in bank -',
      'TX1005 matched 0.00',
      'TX1006 missing in ledger -',
    ]);
  });

  it('keeps the lines of the bank that it can not use, with file, line and reason', async () => {
    assert.deepEqual(await rejections(true), ['bank-2026-01-05.csv 5 reference not_null', 'bank-2026-01-05.csv 6 booked_on cast date']);
  });

  it('reads German amounts, dates and letters', async () => {
    assert.deepEqual(await example.warehouse(`SELECT booked_on, amount, purpose FROM finance_raw.bank WHERE reference = 'TX1001'`), [
      { booked_on: '2026-01-05', amount: '1250.00', purpose: 'Miete Büro' },
    ]);
  });

  it("takes in the next day's file and entry, and closes the rejection of a line that came again", async () => {
    const lines = ['Referenz;Buchungstag;Betrag;Verwendungszweck', 'TX1004;06.01.2026;4.000,00;Rechnung', 'TX1007;07.01.2026;-1,50;Gebühr'];
    await writeFile(join(example.folder, 'data', 'bank-2026-01-07.csv'), Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1'));
    await example.source(`INSERT INTO accounting.entries (id, reference, amount, posted_on) VALUES (7, 'TX1007', -1.50, '2026-01-07')`);
    const ledger = await example.run('ledger');
    const bank = await example.run('bank');
    assert.ok(ledger.ok && bank.ok, JSON.stringify([ledger, bank]));
    assert.equal(bank.report?.streams[0]?.read, 2, 'only the new file is read');
    assert.deepEqual(
      (await statuses()).filter((line) => /TX100[47]/.test(line)),
      ['TX1004 matched 0.00', 'TX1007 matched 0.00'],
    );
    assert.deepEqual(await rejections(true), ['bank-2026-01-05.csv 5 reference not_null']);
    assert.deepEqual(await rejections(false), ['bank-2026-01-05.csv 6 booked_on cast date']);
  });
});
