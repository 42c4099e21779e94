import assert from 'node:assert/strict';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { customers, openSyncProject, type SyncProject } from '../sync-kit.ts';

describe('a run of a sync', function () {
  this.timeout(60_000);
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
});
