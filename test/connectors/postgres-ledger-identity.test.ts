import assert from 'node:assert/strict';
import { attempt } from '../kits/loads.ts';
import { makeRequest, makeRun, makeSync, useSyncBooks, type RequestOptions } from '../kits/sync-books.ts';

describe('books of syncs: what the ledger belongs to', () => {
  const under = useSyncBooks();
  const all = ['ada@x upsert', 'bob@x upsert', 'cyd@x upsert'];
  const other: RequestOptions = { identity: 'https://other.example.com' };
  const said = /connection crm was https:\/\/crm\.example\.com, and now is https:\/\/other\.example\.com/;

  it('another account under the same name is asked about, and gets every row', async () => {
    await under.run();
    const run = makeRun();
    await assert.rejects(under.books.plan({ ...makeRequest(other), run }, attempt()), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'config');
      assert.match(error.message, said);
      assert.match(error.message, /3 rows were acknowledged.*--resend/s);
      return true;
    });
    await under.books.end(run, 'refused', attempt());
    assert.deepEqual(await under.run(), [], 'back at the first one nothing is sent');
    assert.deepEqual(await under.run({ ...other, resend: true }), all);
    assert.deepEqual(await under.run(other), []);
  });

  it('the question, preview and explanation say what the plan does', async () => {
    await under.run();
    const change = await under.books.mappingChange(makeSync(), other.identity, attempt());
    assert.equal(change?.rows, 3);
    assert.match(change.difference, said);
    assert.equal(await under.books.mappingChange(makeSync(), undefined, attempt()), undefined, 'where nobody knows, nothing is said');
    const preview = await under.books.preview(makeRequest(other), 3, attempt());
    assert.deepEqual([preview.operations, preview.ledgerRows], [{ upsert: 3 }, 0]);
    assert.match(preview.notes.join(), said);
    const explanation = await under.books.explain(makeRequest(other), 'ada@x', attempt());
    assert.match(explanation.verdict, said);
    assert.equal(explanation.planned?.change, 'added');
  });

  it('a ledger from before there were identities is taken over without a word', async () => {
    await under.run();
    await under.client.query('UPDATE _millrace.syncs SET identity = NULL');
    assert.deepEqual(await under.run(other), []);
    assert.deepEqual(await under.query('SELECT identity FROM _millrace.syncs'), [[other.identity]]);
  });
});
