import assert from 'node:assert/strict';
import { plainSync, runOutcome, startRun, type StartedRun } from '../../client/runs.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { customers, openSyncProject, type SyncProject } from '../sync-kit.ts';
import { until } from './until.ts';

describe('jobs of a sync whose run ends before them', function () {
  this.timeout(180_000);
  let place: SyncProject;
  before(async () => {
    place = await openSyncProject('jobs');
    await place.sql(customers(100));
  });
  after(() => place[Symbol.asyncDispose]());
  beforeEach(() => {
    place.ledgered.state.jobs = true;
    place.ledgered.state.jobPolls = 4;
  });
  afterEach(() => {
    place.ledgered.state.objects.clear();
  });

  /** Objects are made, so that a second request makes a second one; what is missing is looked up. */
  const named = (name: string): SyncDefinition =>
    place.sync({ name, object: name, mode: 'insert', settings: { jobs: 2, batchRows: 20, concurrency: 1, settles: { create: 'lookup' } } });
  const start = (definition: SyncDefinition): Promise<StartedRun> =>
    startRun(place.project.client, { kind: 'sync', definition }, plainSync, 'test');
  const asked = (path: string): number => place.ledgered.requests.filter((request) => request.path.startsWith(path)).length;
  const deliveryOf = (name: string) => place.project.client.workflow.getHandle(`${place.project.project}/${name}/${name}`);
  const twice = (): number => [...place.ledgered.state.objects.values()].filter(({ length }) => length > 1).length;

  it('a cancelled run fetches their results, so that the next looks nothing up', async () => {
    const sync = named('cancelled');
    const before = asked('/jobs/');
    const run = await start(sync);
    await until(() => asked('/jobs/') > before, 'a job that was asked about');
    await place.project.client.workflow.getHandle(run.workflowId).cancel();
    const outcome = await runOutcome(place.project.client, { kind: 'sync' }, run);
    assert.deepEqual([outcome.ok, !outcome.ok && outcome.code], [false, 'cancelled']);
    const made = place.ledgered.state.objects.size;
    const [booked] = await place.sql(`SELECT status, acknowledged FROM _millrace.sync_runs WHERE sync = 'cancelled'`);
    assert.deepEqual(booked, { status: 'failed', acknowledged: String(made) });
    assert.ok(made > 0 && made < 100, String(made));
    const finds = asked('/find');
    const next = await place.report(sync);
    assert.deepEqual([next.planned, next.acknowledged], [100 - made, 100 - made]);
    assert.deepEqual([place.ledgered.state.objects.size, twice(), asked('/find') - finds], [100, 0, 0]);
  });

  for (const [how, polls] of [
    ['ended', 4],
    ['lost', Number.POSITIVE_INFINITY],
  ] as const) {
    it(`those of a terminated run are asked about before the next plans: ${how}, no row is there twice`, async () => {
      const sync = named(how);
      place.ledgered.state.jobPolls = polls;
      const before = asked('/jobs/');
      const run = await start(sync);
      await until(() => asked('/jobs/') > before, 'a job that was asked about');
      await until(async () => {
        const [noted] = await place.sql(`SELECT jobs FROM _millrace.sync_runs WHERE sync = '${how}'`);
        return noted?.['jobs'] !== null;
      }, 'handles in the books');
      await deliveryOf(how).terminate();
      await runOutcome(place.project.client, { kind: 'sync' }, run);
      const made = place.ledgered.state.objects.size;
      assert.ok(made > 0 && made < 100, String(made));
      const finds = asked('/find');
      if (how === 'lost') place.ledgered.state.forgotten = true;
      place.ledgered.state.jobPolls = 4;
      const next = await place.report(sync);
      assert.deepEqual([place.ledgered.state.objects.size, twice()], [100, 0]);
      // What nobody knows of is looked up.
      if (how === 'ended') assert.deepEqual([next.planned, asked('/find') - finds], [100 - made, 0]);
      else assert.deepEqual([next.planned, asked('/find') > finds], [100, true]);
      assert.deepEqual(await place.sql(`SELECT status, jobs FROM _millrace.sync_runs WHERE sync = '${how}' ORDER BY run_no`), [
        { status: 'failed', jobs: null },
        { status: 'succeeded', jobs: null },
      ]);
      assert.deepEqual(await place.sql(`SELECT relname FROM pg_class WHERE relname LIKE 'p\\_%' AND relkind = 'r'`), []);
    });
  }

  it('a look that fails for good is repeated before they are given up', async () => {
    const sync = named('refused');
    let refusals = 0;
    place.ledgered.trouble({ matches: ({ path }) => path.startsWith('/jobs/') && (refusals += 1) > 0, answer: { status: 401 }, times: 1 });
    const outcome = await place.run(sync);
    assert.deepEqual([outcome.ok, !outcome.ok && outcome.code], [false, 'auth']);
    const [booked] = await place.sql(`SELECT acknowledged FROM _millrace.sync_runs WHERE sync = 'refused'`);
    assert.equal(booked?.['acknowledged'], String(place.ledgered.state.objects.size));
    assert.ok(refusals > 0 && place.ledgered.state.objects.size > 0);
  });
});
