import assert from 'node:assert/strict';
import { applySchedules, backfill, scheduleOf, type Applied, type Scheduled } from '../../client/schedules.ts';
import { toSyncSchedule } from '../../schema/schedule.ts';
import { defineSync } from '../kits/sync-definition.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from '../workflows/until.ts';

describe('schedules', () => {
  let project: TestProject;
  let database: string;
  let scheduled: Scheduled;

  before(async function () {
    this.timeout(240_000);
    [database, project] = await Promise.all([createDatabase('schedules'), openProject('schedules')]);
    await sql(database, 'CREATE TABLE tiny AS SELECT 1 AS id');
    const definition = project.pipeline('nightly', { from: database, to: database, streams: [{ stream: 'tiny' }] });
    scheduled = {
      runnable: { kind: 'pipeline', definition },
      schedule: { when: { cron: '0 5 * * 1-5' }, timezone: 'Europe/Berlin', jitter: 60_000, catchUp: 600_000 },
      hash: 'first',
    };
  });

  after(async () => {
    await applySchedules(project.client, project.project, [], { prune: true });
    await project[Symbol.asyncDispose]();
    await dropDatabase(database);
  });

  const handle = () => scheduleOf(project.client, project.project, 'nightly');

  it('carry calendar, time zone, jitter and catch-up window, and skip a start while a run goes on', async () => {
    assert.deepEqual(await applySchedules(project.client, project.project, [scheduled]), [{ name: 'nightly', change: 'created' }]);
    const { spec, policies } = await (await handle()).describe();
    const [calendar] = spec.calendars ?? [];
    assert.deepEqual([calendar?.hour, spec.timezone, spec.jitter], [[{ start: 5, end: 5, step: 1 }], 'Europe/Berlin', 60_000]);
    assert.deepEqual([policies.overlap, policies.catchupWindow], ['SKIP', 600_000]);
  });

  it("are updated when the definition changes, and leave an operator's pause alone", async () => {
    await (await handle()).pause('stocktaking');
    const every = { ...scheduled, hash: 'second', schedule: { ...scheduled.schedule, when: { every: 3_600_000 }, jitter: 0 } };
    assert.deepEqual(await applySchedules(project.client, project.project, [every]), [{ name: 'nightly', change: 'updated' }]);
    const { state, spec } = await (await handle()).describe();
    assert.deepEqual([state.paused, state.note, spec.intervals?.[0]?.every], [true, 'stocktaking', 3_600_000]);
  });

  it('of a continuous sync look for changes at its least interval, and a pause survives', async () => {
    const connection = { name: 'shop', type: 'postgres', settings: { url: 'postgres://nobody@127.0.0.1:1/none' } };
    const to = { warehouse: connection, state: connection, to: connection, object: 'public.customers' };
    const definition = defineSync({ project: project.project, name: 'continuous', ...to });
    const continuous: Scheduled = { runnable: { kind: 'sync', definition }, schedule: toSyncSchedule('continuous'), hash: 'one' };
    for (const { hash, change } of [
      { hash: 'one', change: 'created' },
      { hash: 'one', change: 'unchanged' },
      { hash: 'two', change: 'updated' },
    ]) {
      const applied = await applySchedules(project.client, project.project, [{ ...continuous, hash }]);
      assert.deepEqual(applied[0], { name: 'continuous', change });
      if (change === 'created') await (await scheduleOf(project.client, project.project, 'continuous')).pause('stocktaking');
    }
    const { state, spec, policies, action } = await (await scheduleOf(project.client, project.project, 'continuous')).describe();
    assert.deepEqual([state.paused, state.note], [true, 'stocktaking']);
    assert.deepEqual([spec.intervals?.[0]?.every, policies.overlap, action.workflowType], [15_000, 'SKIP', 'sync']);
    const [input] = (action.args ?? []) as readonly { readonly options?: unknown }[];
    assert.deepEqual(input?.options, { full: false, retry: false, resend: false, trigger: 'continuous' });
  });

  it('make up for starts gone by, one after the other', async () => {
    const schedule = await handle();
    await schedule.unpause();
    await backfill(schedule, new Date('2026-01-01T00:30:00Z'), new Date('2026-01-01T02:30:00Z'));
    const loads = async () => Number((await sql(database, `SELECT count(*) FROM _millrace.loads`))[0]?.['count'] ?? 0);
    // Before the first run there are no books, and the query fails.
    await until(async () => (await loads()) === 2, 'second load');
  });

  it('that the file no longer has are told, and removed only when asked', async () => {
    const byName = (applied: readonly Applied[]) => [...applied].toSorted((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(byName(await applySchedules(project.client, project.project, [])), [
      { name: 'continuous', change: 'stale' },
      { name: 'nightly', change: 'stale' },
    ]);
    const dry = await applySchedules(project.client, project.project, [], { prune: true, dryRun: true });
    assert.deepEqual(byName(dry), [
      { name: 'continuous', change: 'pruned' },
      { name: 'nightly', change: 'pruned' },
    ]);
    await handle();
    await applySchedules(project.client, project.project, [], { prune: true });
    await assert.rejects(handle(), /has no schedule on the server/);
  });
});
