import assert from 'node:assert/strict';
import { attempt } from '../kits/loads.ts';
import { acknowledged, makeRequest, makeRun, makeSync, useSyncBooks, type RequestOptions } from '../kits/sync-books.ts';

describe('books of syncs: whose objects they are', () => {
  const under = useSyncBooks();
  const execute = async (sql: string): Promise<void> => void (await under.client.query(sql));
  const keys = async () => (await under.query('SELECT key FROM _millrace.ledger ORDER BY key')).map(([key]) => key);
  const invalid = async () => await under.query(`SELECT key, reason FROM _millrace.sync_open WHERE outcome = 'invalid' ORDER BY key`);

  describe('where the match is not the key', () => {
    const sync = makeSync({ mode: 'mirror', match: [{ column: 'plan', field: 'login' }] });
    beforeEach(async () => await execute(`UPDATE people SET plan = email`));

    it('a new row with the match of one that was acknowledged waits until that one has left, and takes over its object', async () => {
      await under.run({ sync });
      await execute(`INSERT INTO people VALUES ('new@x', 'ada@x', 9)`);
      assert.deepEqual(await under.run({ sync }), []);
      assert.deepEqual(await invalid(), [['new@x', 'other rows have the same match (plan)']]);
      await execute(`DELETE FROM people WHERE email = 'ada@x'`);
      assert.deepEqual(await under.run({ sync }), ['new@x upsert']);
      assert.deepEqual([await keys(), await invalid()], [['bob@x', 'cyd@x', 'new@x'], []]);
    });

    it('an object that another acknowledged row has too is not removed', async () => {
      await under.run({ sync });
      await execute(`UPDATE _millrace.ledger_rows SET match = '["ada@x"]' WHERE key = 'bob@x'; DELETE FROM people WHERE email = 'ada@x'`);
      assert.deepEqual(await under.run({ sync }), []);
      assert.deepEqual(await keys(), ['bob@x', 'cyd@x']);
    });

    it('rows whose match changed are counted in plan and preview: their old objects stay', async () => {
      await under.run({ sync });
      await execute(`UPDATE people SET plan = 'new' WHERE email = 'ada@x'; UPDATE people SET score = 7 WHERE email = 'bob@x'`);
      const note = '1 row has another match than when acknowledged: objects under the old one stay';
      assert.deepEqual((await under.books.preview(makeRequest({ sync }), 0, attempt())).notes, [note]);
      const run = await under.begin({ sync });
      assert.deepEqual([run.rows.map((row) => row.operation), run.plan.notes], [['upsert', 'upsert'], [note]]);
    });

    it('rows may change their matches among each other', async () => {
      await under.run({ sync });
      await execute(`UPDATE people SET plan = CASE email WHEN 'ada@x' THEN 'bob@x' ELSE 'ada@x' END WHERE email <> 'cyd@x'`);
      assert.deepEqual(await under.run({ sync }), ['ada@x upsert', 'bob@x upsert']);
    });
  });

  it('a row that is gone is found by its key still, when the match has moved to another column since', async () => {
    const mirror = makeSync({ mode: 'mirror' });
    await under.run({ sync: mirror });
    const moved = makeSync({ mode: 'mirror', match: [{ column: 'plan', field: 'email' }] });
    await execute(`UPDATE people SET plan = email; DELETE FROM people WHERE email = 'ada@x'`);
    const run = await under.begin({ sync: moved });
    const [first] = run.rows;
    assert.deepEqual([first?.operation, JSON.parse(first?.values ?? '')], ['delete', ['ada@x', null, null]]);
  });

  it('members are taken out of a list before others are added, for to the list they may be the same', async () => {
    const request = (): Omit<ReturnType<typeof makeRequest>, never> => ({
      ...makeRequest({ sync: { mode: 'mirror' } }),
      operations: { added: 'add', removed: 'remove' },
    });
    const run = async (): Promise<readonly string[]> => {
      const name = makeRun();
      await under.books.plan({ ...request(), run: name }, attempt());
      const hold = await under.books.hold(name, attempt());
      const rows = await under.books.rows(name, 1, 100, attempt());
      await under.books.record(hold, rows.map(acknowledged), attempt());
      await under.books.end(name, undefined, attempt());
      return rows.map((row) => `${row.key} ${row.operation}`);
    };
    await run();
    await execute(`UPDATE people SET email = 'Bob@x' WHERE email = 'bob@x'`);
    assert.deepEqual(await run(), ['bob@x remove', 'Bob@x add']);
  });

  it('what was removed from a list is not taken for a member of it, nor the other way round', async () => {
    const as = (mode: 'add' | 'remove'): RequestOptions => ({ sync: { mode, mappingChange: 'resend' } });
    assert.equal((await under.run(as('remove'))).length, 3);
    assert.deepEqual(await under.run(as('add')), ['ada@x add', 'bob@x add', 'cyd@x add']);
    assert.deepEqual(await under.run(as('add')), []);
    assert.equal((await under.run(as('remove'))).length, 3);
    await assert.rejects(under.begin({ sync: { mode: 'add' } }), { code: 'config', message: /remov/ });
  });

  it('the guard of deletes counts acknowledged rows alone: one that was only sent can always be removed', async () => {
    const mirror: RequestOptions = { sync: { mode: 'mirror', maxDeleted: 0.5 } };
    const dead = await under.begin(mirror);
    await under.books.mark(dead.hold, [1, 2, 3], attempt());
    await execute(`DELETE FROM people`);
    assert.deepEqual(await under.run(mirror), ['ada@x delete', 'bob@x delete', 'cyd@x delete']);
    assert.deepEqual(await under.query('SELECT * FROM _millrace.sync_open'), []);
  });
});
