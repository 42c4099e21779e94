import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { openSyncBooks } from '../../connectors/postgres/ledger/sync-books.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { attempt } from '../kits/loads.ts';
import { acknowledged, makeRequest, rejected, useSyncBooks, type RequestOptions } from '../kits/sync-books.ts';

describe('books of syncs: preview and explain', () => {
  const under = useSyncBooks();
  const execute = async (sql: string): Promise<void> => void (await under.client.query(sql));
  const preview = async (given: RequestOptions = {}, samples = 0) => await under.books.preview(makeRequest(given), samples, attempt());
  const explain = async (key: string, given: RequestOptions = {}) => await under.books.explain(makeRequest(given), key, attempt());

  it('preview says what a run would do, and the run does just that', async () => {
    const mirror: RequestOptions = { sync: { mode: 'mirror' }, changedOnly: true };
    await under.run({ ...mirror, outcome: (row) => (row.key === 'ada@x' ? rejected(row) : acknowledged(row)) });
    await under.run({ ...mirror, outcome: rejected });
    await execute(
      `INSERT INTO people VALUES ('dan@x', NULL, 4), (NULL, 'x', 5), ('eve@x', 'a', 1), ('eve@x', 'b', 1); DELETE FROM people WHERE email = 'cyd@x'; UPDATE people SET score = 3 WHERE email = 'bob@x'`,
    );
    const found = await preview(mirror, 2);
    assert.deepEqual(found, {
      modelRows: 6,
      ledgerRows: 2,
      operations: { delete: 1, upsert: 2 },
      again: 0,
      unchanged: 0,
      waiting: 1,
      invalid: [
        { reason: 'its key is in the model more than once', rows: 2, keys: ['eve@x'] },
        { reason: 'its key (email) is NULL', rows: 1, keys: ['(no key)'] },
      ],
      fields: 3,
      bytes: found.bytes,
      samples: [
        { key: 'cyd@x', change: 'removed', operation: 'delete', values: { email: 'cyd@x' }, changed: null },
        {
          key: 'bob@x',
          change: 'changed',
          operation: 'upsert',
          values: { email: 'bob@x', health_score: 3, plan: 'free' },
          changed: ['health_score'],
        },
      ],
      notes: [],
    });
    assert.ok(found.bytes > 40 && found.bytes < 100);
    assert.deepEqual((await preview({ ...mirror, retry: true })).again, 1);
    assert.match((await preview({ sync: { mode: 'mirror', maxDeleted: 0.1 } })).notes.join(), /guards.deletes \(10%\)/);
    assert.equal((await preview({ sync: { object: 'leads' } })).operations.upsert, 3);
    const { plan } = await under.begin(mirror);
    assert.deepEqual([plan.operations, plan.counts.invalid, plan.modelRows], [found.operations, 3, 6]);
  });

  it('preview writes nothing, also where there are no books', async () => {
    const url = await createDatabase('fresh');
    const books = await openSyncBooks({ type: 'postgres', url }, 'fresh');
    try {
      const sql = `SELECT 'a' AS email, 1 AS score, 'x' AS plan`;
      const given = makeRequest({ sync: { model: { name: 'people', sql, key: ['email'], after: [] } } });
      assert.deepEqual((await books.preview(given, 1, attempt())).operations, { upsert: 1 });
      assert.match((await books.explain(given, 'a', attempt())).verdict, /the next run sends it/);
      const writes = {
        ...given,
        sync: {
          ...given.sync,
          model: { ...given.sync.model, sql: `SELECT pg_notify('a', 'b')::text AS email, lo_create(0)::text AS plan, 1 AS score` },
        },
      };
      await assert.rejects(books.preview(writes, 1, attempt()), { code: 'config', message: /read-only transaction/ });
      // Only the first method that writes makes the books.
      await books[Symbol.asyncDispose]();
      const again = await openSyncBooks({ type: 'postgres', url }, 'fresh');
      await again.preview(given, 1, attempt());
      const [there] = await withSchema(url);
      assert.equal(there, undefined);
      await again.listRuns({ project: 'test', sync: 'x', limit: 1 }, attempt());
      assert.notEqual((await withSchema(url))[0], undefined);
      await again[Symbol.asyncDispose]();
    } finally {
      await dropDatabase(url);
    }
  });

  async function withSchema(url: string): Promise<readonly unknown[]> {
    const books = await import('pg');
    const client = new books.default.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(`SELECT nspname FROM pg_namespace WHERE nspname = '_millrace'`)).rows;
    } finally {
      await client.end();
    }
  }

  it('explain says why a row was sent or was not', async () => {
    const verdict = async (key: string, given: RequestOptions = {}) => (await explain(key, given)).verdict;
    assert.match(await verdict('ada@x'), /^the next run sends it \(added: upsert\)$/);
    assert.match(await verdict('nobody'), /^no row of model people has this key/);
    await under.run({
      outcome: (row) =>
        row.key === 'bob@x' ? rejected(row) : row.key === 'cyd@x' ? { no: row.no, outcome: 'unknown' } : acknowledged(row),
    });
    assert.match(await verdict('ada@x'), /^it is unchanged since it was acknowledged at 20/);
    assert.match(await verdict('ada@x', { sync: { mode: 'insert' } }), /^it was acknowledged at .*; mode insert doesn't send changes/);
    assert.match(await verdict('bob@x'), /refused it once \(not an e-mail\), at 20.*; the next run sends it again/);
    assert.match(await verdict('cyd@x'), /^nobody knows .*; it waits until somebody says/);
    assert.match(await verdict('cyd@x', { unknown: 'lost' }), /the next run sends it again/);
    await under.run({ outcome: rejected });
    assert.match(
      await verdict('bob@x'),
      /refused it 2 times \(not an e-mail\), at last at 20.*sent again after 20.*Z, when its values change, or with a retry/,
    );
    await execute(`UPDATE people SET score = 70 WHERE email = 'ada@x'`);
    assert.match(await verdict('ada@x'), /^the next run sends it \(changed: upsert\)/);
    await execute(`DELETE FROM people WHERE email = 'ada@x'; INSERT INTO people VALUES ('eve@x', 'a', 1), ('eve@x', 'b', 1)`);
    assert.match(await verdict('ada@x'), /^it left the model after it was acknowledged .*; mode upsert removes nothing/);
    assert.match(await verdict('ada@x', { sync: { mode: 'mirror' } }), /^the next run sends it \(removed: delete\)/);
    assert.match(await verdict('eve@x'), /^it is invalid: its key is in the model more than once/);
    assert.match(await verdict('bob@x', { sync: { object: 'leads' } }), /found by email, key email; .*|would be sent again/);
  });

  it('explain gives the row, what was acknowledged, what is open and the log', async () => {
    const first = await under.begin();
    await under.record(
      first,
      first.rows.map((row) => ({ ...acknowledged(row), remoteId: '17', requestId: 'r1' })),
    );
    await execute(`UPDATE people SET score = 70 WHERE email = 'ada@x'`);
    const second = await under.begin({ changedOnly: true });
    await under.record(
      second,
      second.rows.map((row) => ({ ...rejected(row), requestId: 'r2' })),
    );
    const found = await explain('ada@x', { retry: true });
    assert.deepEqual(found.model, { email: 'ada@x', plan: 'pro', score: 70 });
    assert.equal(found.acknowledged?.remoteId, '17');
    assert.deepEqual([found.open?.outcome, found.open?.requestId, found.open?.attempts], ['rejected', 'r2', 1]);
    assert.deepEqual(found.planned?.values, { email: 'ada@x', health_score: 70, plan: 'pro' });
    assert.deepEqual(
      found.log.map((entry) => [entry.runId, entry.operation, entry.outcome, entry.reason, entry.requestId]),
      [
        [second.name.runId, 'upsert', 'rejected', 'not an e-mail', 'r2'],
        [first.name.runId, 'upsert', 'acknowledged', null, 'r1'],
      ],
    );
    const open = await under.books.listOpen({ project: 'test', sync: 'people-to-crm', limit: 5 }, attempt());
    assert.deepEqual(open, [found.open]);
    assert.deepEqual(await under.books.listOpen({ project: randomUUID(), sync: 'people-to-crm', limit: 5 }, attempt()), []);
  });
});
