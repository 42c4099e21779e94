import assert from 'node:assert/strict';
import { ScheduleOverlapPolicy, type ScheduleHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { plainSync, workflowOf } from '../../client/runs.ts';
import { runIdOf, taskQueueOf } from '../../client/names.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { SyncReport } from '../../schema/sync.ts';
import { afterFailure, memoryOf, turnOf } from '../../workflows/sync-memory.ts';
import { customers, openSyncProject, withLedgered, type SyncProject } from '../sync-kit.ts';
import { until } from './until.ts';

describe('a continuous sync', function () {
  this.timeout(180_000);
  let place: SyncProject;
  let quiet = false;
  before(async () => {
    place = await openSyncProject('continuous', (dependencies) => ({
      ...withLedgered(dependencies),
      async openWarehouse(connection) {
        const warehouse = await dependencies.openWarehouse(connection);
        return {
          ...warehouse,
          async pulse(...given) {
            if (quiet) throw ApplicationFailure.nonRetryable('the time for the look is over', 'unchanged');
            return await warehouse.pulse(...given);
          },
        };
      },
    }));
    await place.sql(customers(3));
  });
  after(() => place[Symbol.asyncDispose]());

  /** A schedule that begins a run a second after the last. Runs that are started by hand aren't given what the last one saw. */
  async function scheduleOf(sync: SyncDefinition): Promise<ScheduleHandle> {
    const { project, name } = sync;
    const { type, args } = workflowOf({ kind: 'sync', definition: sync }, { ...plainSync, trigger: 'continuous' });
    return await place.project.client.schedule.create({
      scheduleId: runIdOf(project, name),
      spec: { intervals: [{ every: '1s' }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP },
      action: { type: 'startWorkflow', workflowType: type, workflowId: runIdOf(project, name), taskQueue: taskQueueOf(project), args },
    });
  }

  /** The id of the schedule's run of a number, the first is 0. */
  async function runOf(schedule: ScheduleHandle, no: number): Promise<string> {
    let workflowId = '';
    await until(async () => {
      const action = (await schedule.describe()).info.recentActions[no]?.action;
      if (action?.type === 'startWorkflow') workflowId = action.workflow.workflowId;
      return workflowId !== '';
    }, 'a run of the schedule');
    return workflowId;
  }

  const result = (workflowId: string): Promise<SyncReport> =>
    place.project.client.workflow.getHandle(workflowId).result() as Promise<SyncReport>;

  it('sends at first, then waits until something that the model reads has committed', async () => {
    const schedule = await scheduleOf(place.sync({ name: 'live', object: 'live', minInterval: 1000 }));
    assert.equal((await result(await runOf(schedule, 0))).acknowledged, 3);
    const waiting = await runOf(schedule, 1);
    const handle = place.project.client.workflow.getHandle(waiting);
    await until(async () => {
      const [look] = (await handle.describe()).raw.pendingActivities ?? [];
      return Number(look?.attempt ?? 0) >= 3 && look?.lastFailure?.message === 'nothing was committed to what the model reads';
    }, 'some looks in vain');
    assert.equal((await handle.query<SyncReport>('progress')).status, 'waiting');
    await place.sql(`INSERT INTO customers VALUES ('late', 'l')`);
    const committedAt = Date.now();
    const report = await result(waiting);
    assert.deepEqual([report.status, report.planned, report.acknowledged], ['succeeded', 1, 1]);
    assert.ok(Date.now() - committedAt < 20_000);
    const events = (await handle.fetchHistory()).events ?? [];
    assert.ok(events.length < 40, 'looks in vain cost no history');
    await schedule.delete();
  });

  it('runs for a changed mapping, without a commit', async () => {
    const sync = place.sync({ name: 'mapped', object: 'mapped', minInterval: 1000 });
    const schedule = await scheduleOf(sync);
    await result(await runOf(schedule, 0));
    const waiting = await runOf(schedule, 1);
    await schedule.pause();
    const [column] = sync.map;
    assert.ok(column !== undefined);
    const mapped: SyncDefinition = { ...sync, map: [{ ...column, field: 'renamed' }], mappingChange: 'resend' };
    const { args } = workflowOf({ kind: 'sync', definition: mapped }, { ...plainSync, trigger: 'continuous' });
    await schedule.update((before) => ({
      ...before,
      action: { ...before.action, args: [...args] },
      state: { ...before.state, paused: false },
    }));
    quiet = true;
    await result(waiting);
    quiet = false;
    let report = await result(await runOf(schedule, 2));
    // It may have begun while nothing could be seen.
    if (report.status === 'skipped') report = await result(await runOf(schedule, 3));
    const rows = Number((await place.sql('SELECT count(*) FROM customers'))[0]?.['count']);
    assert.deepEqual([report.status, report.planned, report.acknowledged], ['succeeded', rows, rows]);
    await schedule.delete();
  });

  it('ends as skipped when nothing was committed for long, and hands on what the last run saw', async () => {
    const schedule = await scheduleOf(place.sync({ name: 'quiet', object: 'quiet', minInterval: 1000 }));
    const first = await result(await runOf(schedule, 0));
    quiet = true;
    const skipped = await result(await runOf(schedule, 1));
    assert.deepEqual([skipped.status, skipped.pulse], ['skipped', first.pulse]);
    quiet = false;
    await schedule.delete();
  });

  it('sends refused rows again when their time has come, without a commit', async () => {
    place.ledgered.state.refused.set('k2', 'not now');
    const schedule = await scheduleOf(place.sync({ name: 'refused', object: 'refused', minInterval: 1000 }));
    const first = await result(await runOf(schedule, 0));
    assert.equal(first.rejected, 1);
    const second = await result(await runOf(schedule, 1));
    assert.deepEqual([second.status, second.planned, second.rejected], ['succeeded', 1, 1]);
    assert.ok((second.retryAt ?? 0) > Date.now() + 30_000, 'the third waits longer');
    await schedule.delete();
  });

  it('after a run that failed, waits for a commit or a growing while, and starts again with the first that works', async () => {
    await place.sql(`CREATE TABLE members AS SELECT 'm' || i AS key, 'x' AS value FROM generate_series(1, 200) i`);
    const model = { name: 'members', sql: 'SELECT key, value FROM members', key: ['key'], after: [] };
    const schedule = await scheduleOf(
      place.sync({ name: 'guarded', object: 'guarded', model, mode: 'mirror', maxDeleted: 0.05, minInterval: 1000 }),
    );
    await result(await runOf(schedule, 0));
    await place.sql('CREATE TABLE gone AS TABLE members; DELETE FROM members');
    const isVain = async (workflowId: string): Promise<boolean> => {
      const { raw } = await place.project.client.workflow.getHandle(workflowId).describe();
      const [look] = raw.pendingActivities ?? [];
      return Number(look?.attempt ?? 0) >= 3 && look?.lastFailure?.message === 'nothing was committed to what the model reads';
    };
    // The server counts commits late, so that a run more may see one.
    let failed = 0;
    let waiting = '';
    for (let no = 1; waiting === ''; no += 1) {
      const workflowId = await runOf(schedule, no);
      const ended = result(workflowId).then(
        () => 'succeeded',
        () => 'failed',
      );
      const vain = failed === 0 ? ended : until(async () => await isVain(workflowId), 'some looks in vain').then(() => 'vain');
      const became = await Promise.race([ended, vain]);
      if (became === 'failed') failed += 1;
      if (became === 'vain') waiting = workflowId;
      vain.catch(() => undefined);
    }
    assert.ok(failed <= 3, `${failed} runs failed`);
    await place.sql('INSERT INTO members TABLE gone');
    const report = await result(waiting);
    assert.deepEqual([report.status, report.failures], ['succeeded', undefined]);
    await schedule.delete();
  });
});

describe('what a continuous run hands on', () => {
  const failureWith = (report: object): Error => ApplicationFailure.create({ message: 'guard', details: [report] });

  it('by its failure: the pulse that it planned from, and how often in a row; the wait grows from a minute to eight', () => {
    const lastResult = { pulse: 'a', retryAt: 5 };
    const first = afterFailure(memoryOf({ lastResult }), 'b');
    assert.deepEqual(first, { pulse: 'b', retryAt: 5, failures: 1 });
    const found = memoryOf({ lastResult, lastFailure: failureWith(first) });
    assert.deepEqual(found, first);
    const waits = [1, 2, 3, 4, 9].map((failures) => turnOf({ ...found, failures }, 1000) - 1000);
    assert.deepEqual(
      waits,
      [1, 2, 4, 8, 8].map((minutes) => minutes * 60_000),
    );
  });

  it('by a failure that tells nothing: what the last result said, once failed', () => {
    assert.deepEqual(memoryOf({ lastResult: { pulse: 'a' }, lastFailure: new Error('ended') }), { pulse: 'a', failures: 1 });
    assert.deepEqual(memoryOf({ lastResult: { pulse: 'a' } }), { pulse: 'a' });
    assert.equal(turnOf({ retryAt: 7 }, 0), 7);
  });
});
