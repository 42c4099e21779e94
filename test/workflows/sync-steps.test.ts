import assert from 'node:assert/strict';
import { plainSync, runOutcome, startRun, workflowOf, type StartedRun } from '../../client/runs.ts';
import { taskQueueOf } from '../../client/names.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { SyncReport } from '../../schema/sync.ts';
import { customers, openSyncProject, type SyncProject } from '../sync-kit.ts';
import { until } from './until.ts';

describe('the steps of a sync', function () {
  this.timeout(180_000);
  let place: SyncProject;
  before(async () => {
    place = await openSyncProject('steps');
    await place.sql(customers(1000));
  });
  after(() => place[Symbol.asyncDispose]());
  afterEach(() => {
    place.ledgered.latency = 0;
    place.ledgered.state.jobs = false;
    place.ledgered.state.objects.clear();
  });

  const named = (name: string, more: Parameters<SyncProject['sync']>[0] = {}): SyncDefinition =>
    place.sync({ name, object: name, ...more });
  const start = (definition: SyncDefinition, options = {}): Promise<StartedRun> =>
    startRun(place.project.client, { kind: 'sync', definition }, { ...plainSync, ...options }, 'test');
  const history = async (workflowId: string) => (await place.project.client.workflow.getHandle(workflowId).fetchHistory()).events ?? [];
  const steps = async (name: string): Promise<readonly string[]> =>
    (await history(`${place.project.project}/${name}/${name}`)).flatMap(
      ({ activityTaskScheduledEventAttributes: step }) => step?.activityType?.name ?? [],
    );

  it('a long wait for a rate limit is one of Temporal: no step is at work meanwhile', async () => {
    place.ledgered.trouble({ answer: { status: 429, headers: { 'retry-after': '4' } } });
    const sync = named('limited', { settings: { concurrency: 1 } });
    const startedAt = Date.now();
    const run = await start(sync);
    const handle = place.project.client.workflow.getHandle(`${place.project.project}/limited/limited`);
    await until(async () => {
      const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
      return pending?.attempt === 2 && pending.lastFailure?.message === 'ledgered: slow down';
    }, 'a step that waits for its second attempt');
    const outcome = await runOutcome(place.project.client, { kind: 'sync' }, run);
    assert.ok(outcome.ok);
    assert.equal(outcome.sync?.acknowledged, 1000);
    assert.ok(Date.now() - startedAt >= 4000);
    assert.equal(place.ledgered.effects.length, 1000);
  });

  it('a cancelled run sends nothing more, books what was answered, and the next goes on from there', async () => {
    place.ledgered.latency = 300;
    const before = place.ledgered.effects.length;
    const sync = named('cancelled', { settings: { concurrency: 2, batchRows: 20 } });
    const run = await start(sync);
    await until(() => place.ledgered.effects.length - before >= 100, 'some effects');
    await place.project.client.workflow.getHandle(run.workflowId).cancel();
    const outcome = await runOutcome(place.project.client, { kind: 'sync' }, run);
    assert.deepEqual([outcome.ok, !outcome.ok && outcome.code], [false, 'cancelled']);
    const effects = place.ledgered.effects.length - before;
    const [booked] = await place.sql(`SELECT status, acknowledged, failure FROM _millrace.sync_runs WHERE sync = 'cancelled'`);
    assert.deepEqual(booked, { status: 'failed', acknowledged: String(effects), failure: 'cancelled: the run was cancelled' });
    place.ledgered.latency = 0;
    const next = await place.report(sync);
    assert.deepEqual([next.planned, next.acknowledged], [1000 - effects, 1000 - effects]);
    assert.equal(place.ledgered.effects.length - before, 1000);
  });

  it('a second run joins the one under way, one with options is refused by its name, a scheduled one is skipped', async () => {
    place.ledgered.latency = 500;
    const sync = named('twice', { settings: { concurrency: 1, batchRows: 50 } });
    const first = await start(sync);
    const joined = await start(sync);
    assert.deepEqual([joined.joined, joined.runId], [true, first.runId]);
    await assert.rejects(start(sync, { full: true }), /twice is running already/);
    await until(async () => (await steps('twice')).includes('sendRows'), 'a delivery under way');
    const { type, args } = workflowOf({ kind: 'sync', definition: sync }, { ...plainSync, trigger: 'schedule' });
    const scheduled = await place.project.client.workflow.execute<(input: unknown) => Promise<SyncReport>>(type, {
      workflowId: `${first.workflowId}-2026-11-23T00:00:00Z`,
      taskQueue: taskQueueOf(place.project.project),
      args: [args[0]],
    });
    place.ledgered.latency = 0;
    assert.equal(scheduled.status, 'skipped');
    assert.ok(scheduled.notes[0]?.endsWith(first.workflowId), scheduled.notes[0]);
    assert.ok((await runOutcome(place.project.client, { kind: 'sync' }, first)).ok);
  });

  it('jobs are begun up to their number, asked about until they end, and never submitted twice', async () => {
    place.ledgered.state.jobs = true;
    const before = place.ledgered.effects.length;
    const sync = named('jobs', { settings: { jobs: 3, batchRows: 100 } });
    place.ledgered.state.refused.set('k500', 'never');
    const report = await place.report(sync);
    place.ledgered.state.refused.clear();
    assert.deepEqual([report.planned, report.acknowledged, report.rejected], [1000, 999, 1]);
    assert.equal(place.ledgered.effects.length - before, 999);
    const submitted = place.ledgered.requests.filter(({ path, status }) => path === '/batch' && status === 202);
    assert.equal(submitted.length, 10);
  });

  it('locked rows of a job are sent again by another', async () => {
    place.ledgered.state.jobs = true;
    place.ledgered.state.locked.set('k10', 1).set('k20', 1);
    const sql = `SELECT key, value FROM customers WHERE length(key) < 4`;
    const report = await place.report(named('locked', { model: { name: 'few', sql, key: ['key'], after: [] }, settings: { jobs: 3 } }));
    assert.deepEqual([report.planned, report.acknowledged], [99, 99]);
  });

  it('locked rows of a job were not taken: they are sent again where nothing settles them, and not parked', async () => {
    place.ledgered.state.jobs = true;
    place.ledgered.state.locked.set('k10', 1).set('k20', 1);
    const sql = `SELECT key, value FROM customers WHERE length(key) < 4`;
    const model = { name: 'few', sql, key: ['key'], after: [] };
    const report = await place.report(named('creates', { model, mode: 'insert', settings: { jobs: 3, settles: { create: 'none' } } }));
    assert.deepEqual([report.planned, report.acknowledged], [99, 99]);
    assert.equal(place.ledgered.state.objects.get('k10')?.length, 1);
  });

  it('results of jobs are fetched when sending failed', async () => {
    place.ledgered.state.jobs = true;
    // The last batch is refused for good, after jobs were begun.
    place.ledgered.trouble({ matches: ({ text }) => text.includes('"value 1000"'), answer: { status: 401 }, times: 10 });
    const sql = `SELECT key, value FROM customers WHERE key IN ('k1', 'k2', 'k3', 'k4', 'z') OR key = 'k1000' ORDER BY 1`;
    const sync = named('fetched', {
      model: { name: 'few', sql, key: ['key'], after: [] },
      settings: { jobs: 10, batchRows: 1, concurrency: 1 },
    });
    const outcome = await place.run(sync);
    assert.deepEqual([outcome.ok, !outcome.ok && outcome.code], [false, 'auth']);
    const acknowledged = outcome.sync?.acknowledged ?? 0;
    assert.ok(acknowledged > 0, JSON.stringify(outcome));
    const [ledger] = await place.sql(`SELECT count(*) FROM _millrace.ledger WHERE sync = 'fetched'`);
    assert.equal(ledger?.['count'], String(acknowledged));
  });
});
