import assert from 'node:assert/strict';
import { plainSync, runOutcome, startRun, type StartedRun } from '../../client/runs.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { customers, openSyncProject, type SyncProject } from '../sync-kit.ts';
import { until } from './until.ts';

describe('jobs of a sync whose run ends before them', function () {
  this.timeout(90_000);
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
