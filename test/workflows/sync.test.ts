import assert from 'node:assert/strict';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { customers, openSyncProject, postgresConnection, type SyncProject } from '../sync-kit.ts';

describe('a run of a sync', function () {
  this.timeout(120_000);
  let place: SyncProject;
  before(async () => {
    place = await openSyncProject('sync');
    await place.sql(customers(250));
  });
  after(() => place[Symbol.asyncDispose]());

  it('makes the objects of the application equal to the model, and sends only what changed after that', async () => {
    const sync = place.sync();
    const first = await place.report(sync);
    assert.deepEqual([first.status, first.planned, first.sent, first.acknowledged], ['succeeded', 250, 250, 250]);
    assert.deepEqual(first.operations, { upsert: 250 });
    assert.equal(place.ledgered.state.objects.size, 250);
    const second = await place.report(sync);
    assert.deepEqual([second.status, second.planned], ['succeeded', 0]);
    await place.sql(`UPDATE customers SET value = 'new' WHERE key IN ('k7', 'k8'); INSERT INTO customers VALUES ('more', 'm')`);
    const third = await place.report(sync);
    assert.deepEqual([third.planned, third.acknowledged], [3, 3]);
    assert.deepEqual(place.ledgered.state.objects.get('k7')?.[0]?.fields, { value: 'new' });
    const [runs] = await place.sql(`SELECT count(*), count(*) FILTER (WHERE status = 'succeeded') AS good FROM _millrace.sync_runs`);
    assert.deepEqual(runs, { count: '3', good: '3' });
    const [ledger] = await place.sql('SELECT count(*) FROM _millrace.ledger');
    assert.equal(ledger?.['count'], '251');
  });

  for (const where of ['in the warehouse', 'in another database']) {
    it(`waits for the first load of what its model follows, with the books ${where}`, async () => {
      const name = `follows-${where.length}`;
      const model = { name: 'follows', sql: 'SELECT key, value FROM customers', key: ['key'], after: ['never'] };
      const books = where === 'in the warehouse' ? undefined : await createDatabase('follows');
      const before = place.ledgered.requests.length;
      const state = books === undefined ? {} : { state: postgresConnection('books', books) };
      const report = await place.report(place.sync({ name, object: name, model, ...state }));
      assert.deepEqual([report.status, report.planned], ['skipped', 0]);
      assert.deepEqual(report.notes, ['waits for never, which has never run']);
      assert.equal(place.ledgered.requests.length, before);
      if (books !== undefined) await dropDatabase(books);
    });
  }

  it('leaves no plan behind', async () => {
    assert.deepEqual(await place.sql(`SELECT relname FROM pg_class WHERE relname LIKE 'p\\_%' AND relkind = 'r'`), []);
  });

  const named = (name: string, more: Partial<SyncDefinition> = {}): SyncDefinition => place.sync({ name, object: name, ...more });

  it('says of a mode that the object has not which it has', async () => {
    const outcome = await place.run(named('inserts', { mode: 'insert' }));
    assert.ok(!outcome.ok);
    assert.equal(outcome.code, 'config');
    assert.match(
      outcome.message,
      /app\.inserts has no create, which mode insert needs; it can be written by upsert, mirror with deletes: delete, mirror with deletes: clear/,
    );
  });

  it('D7: removes nothing when the model lost more than its share of rows, and says so', async () => {
    await place.sql('CREATE TABLE members AS SELECT * FROM customers LIMIT 100');
    const model = { name: 'members', sql: 'SELECT key, value FROM members', key: ['key'], after: [] };
    const sync = named('mirror', { model, mode: 'mirror', match: [{ column: 'key', field: 'mirrored' }], maxDeleted: 0.05 });
    await place.report(sync);
    const before = place.ledgered.requests.length;
    await place.sql('DELETE FROM members WHERE ctid IN (SELECT ctid FROM members LIMIT 6)');
    const outcome = await place.run(sync);
    assert.ok(!outcome.ok);
    assert.equal(outcome.code, 'rejected');
    assert.equal(place.ledgered.requests.length, before);
    await place.sql(
      `INSERT INTO members SELECT key, value FROM customers c WHERE NOT EXISTS (SELECT FROM members m WHERE m.key = c.key) LIMIT 3`,
    );
    const report = await place.report({ ...sync, maxDeleted: 0.5 });
    assert.ok((report.operations.delete ?? 0) > 0);
    const [ledger] = await place.sql(`SELECT count(*) FROM _millrace.ledger WHERE sync = 'mirror'`);
    assert.equal(ledger?.['count'], '97');
  });

  it('fails when more rows were rejected than it allows, and takes them again in the next', async () => {
    const refused = Array.from({ length: 30 }, (_, at) => `k${at + 1}`);
    for (const key of refused) place.ledgered.state.refused.set(key, `"${key}" is no valid thing`);
    const model = { name: 'few', sql: `SELECT key, value FROM customers WHERE key ~ '^k[1-4]?[0-9]$'`, key: ['key'], after: [] };
    const sync = named('refused', { model });
    const outcome = await place.run(sync);
    assert.ok(!outcome.ok);
    assert.equal(outcome.code, 'rejected');
    assert.match(outcome.message, /30 of 49 rows were rejected, more than max_rejected \(50%\) allows/);
    assert.deepEqual([outcome.sync?.acknowledged, outcome.sync?.rejected], [19, 30]);
    assert.deepEqual(outcome.sync?.notes, ['30 × rejected: … is no valid thing']);
    place.ledgered.state.refused.clear();
    const again = await place.report(sync);
    assert.deepEqual([again.planned, again.acknowledged], [30, 30]);
  });

  it('does not fail for a row that is refused again and again, alone', async () => {
    place.ledgered.state.refused.set('k9', 'never');
    const sync = named('stubborn');
    const first = await place.report(sync);
    assert.deepEqual([first.acknowledged, first.rejected], [250, 1]);
    const second = await place.report(sync);
    assert.deepEqual([second.status, second.planned, second.rejected], ['succeeded', 1, 1]);
    const third = await place.report(sync);
    assert.equal(third.planned, 0, 'its back-off has begun');
    const asked = await place.report(sync, { retry: true });
    assert.deepEqual([asked.planned, asked.rejected], [1, 1]);
    place.ledgered.state.refused.clear();
  });

  it('leaves rows without a key alone and says why', async () => {
    const sql = `SELECT * FROM (VALUES ('a', '1'), ('b', '2'), ('b', '3'), (NULL, '4'), ('c', '5'), ('d', '6'), ('e', '7')) AS given (key, value)`;
    const report = await place.report(named('invalid', { model: { name: 'given', sql, key: ['key'], after: [] } }));
    assert.deepEqual([report.planned, report.acknowledged, report.invalid], [4, 4, 3]);
    assert.ok(report.notes.length > 0, JSON.stringify(report.notes));
  });

  it('ends with one clear error when the credential is refused', async () => {
    place.ledgered.trouble({ answer: { status: 401 }, times: 3 });
    const outcome = await place.run(named('auth'));
    assert.ok(!outcome.ok);
    assert.deepEqual([outcome.code, outcome.message], ['auth', 'ledgered: it refuses the credential; set another']);
    const [run] = await place.sql(`SELECT status, failure FROM _millrace.sync_runs WHERE sync = 'auth'`);
    assert.deepEqual(run, { status: 'failed', failure: 'auth: ledgered: it refuses the credential; set another' });
  });

  it('sends everything again when it is asked for all', async () => {
    const sync = named('full', {
      model: { name: 'few', sql: `SELECT key, value FROM customers WHERE key ~ '^k[1-4]?[0-9]$'`, key: ['key'], after: [] },
    });
    await place.report(sync);
    const report = await place.report(sync, { full: true });
    assert.deepEqual([report.planned, report.acknowledged], [49, 49]);
  });

  it('shows a table of what became of the rows, and the reasons below', async () => {
    const handle = place.project.client.workflow.getHandle(`${place.project.project}/stubborn/stubborn`);
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    assert.match(currentDetails, /planned \|.*sent \|.*acknowledged \|.*rejected \|.*unknown \|.*invalid/);
    assert.match(currentDetails, /1 × rejected: never/);
  });
});
