import assert from 'node:assert/strict';
import type { SyncJob } from '../../schema/sync.ts';
import { attempt } from '../kits/loads.ts';
import { acknowledged, makeRequest, makeRun, makeSync, useSyncBooks, type RequestOptions } from '../kits/sync-books.ts';

describe('books of syncs: jobs under way', () => {
  const under = useSyncBooks();
  const jobs: readonly SyncJob[] = [{ handle: 'job 1', operation: 'upsert', rows: [[1, 3]] }];
  const { object, match, map, mode, write } = makeSync();
  const of = { object, match, map, mode, write };
  const next = async (given: RequestOptions = {}) => {
    const run = makeRun();
    return { run, plan: await under.books.plan({ ...makeRequest(given), run }, attempt()) };
  };

  it('a run plans nothing while jobs of the one before are noted, whose rows can be recorded still', async () => {
    const first = await under.begin();
    await under.books.noteJobs(first.hold, jobs, of, attempt());
    await under.books.end(first.name, 'cancelled', attempt());
    const { run, plan } = await next();
    assert.deepEqual([plan.left?.run, plan.left?.jobs, plan.left?.of, plan.counts.planned], [first.name, jobs, of, 0]);
    const hold = await under.books.hold(first.name, attempt());
    const rows = await under.books.rowsOf(first.name, [[1, 3]], attempt());
    assert.equal(rows.length, 3);
    await under.books.record(hold, rows.map(acknowledged), attempt());
    await under.books.noteJobs(hold, [], of, attempt());
    await under.books.end(first.name, 'again', attempt());
    assert.deepEqual(
      await under.query(`SELECT status, failure, acknowledged, jobs FROM _millrace.sync_runs WHERE run_id = $1`, [first.name.runId]),
      [['failed', 'cancelled', '3', null]],
    );
    assert.deepEqual(await under.query(`SELECT relname FROM pg_class WHERE relname LIKE 'p\\_%' AND relkind = 'r'`), []);
    const planned = await under.books.plan({ ...makeRequest(), run }, attempt());
    assert.deepEqual([planned.left, planned.counts.planned], [undefined, 0]);
  });

  it('who lost the books can note none', async () => {
    const first = await under.begin();
    await under.books.hold(first.name, attempt());
    await assert.rejects(under.books.noteJobs(first.hold, jobs, of, attempt()), { code: 'fenced' });
    assert.equal((await next()).plan.left, undefined);
  });

  it('they are forgotten when somebody says what became of their rows', async () => {
    const first = await under.begin();
    await under.books.noteJobs(first.hold, jobs, of, attempt());
    const { plan } = await next({ unknown: 'lost' });
    assert.deepEqual([plan.left, plan.counts.planned], [undefined, 3]);
    await assert.rejects(under.books.record(first.hold, first.rows.map(acknowledged), attempt()), { code: 'fenced' });
  });
});
