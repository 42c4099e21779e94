import assert from 'node:assert/strict';
import type { WorkflowHandle } from '@temporalio/client';
import pg from 'pg';
import { runIdOf, taskQueueOf } from '../../client/names.ts';
import { runOutcome, startRun, workflowOf, type Runnable } from '../../client/runs.ts';
import type { RunOptions, RunReport } from '../../schema/run.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from './until.ts';

describe('a run that is started twice', function () {
  this.timeout(180_000);
  let project: TestProject;
  let database: string;
  let runnable: Runnable;
  let id: string;
  /** Runs come to no end while it is shut. */
  let gate: pg.Client;
  const shut = async () => await gate.query('SELECT pg_advisory_lock(1)');
  const open = async () => await gate.query('SELECT pg_advisory_unlock(1)');

  before(async () => {
    [database, project] = await Promise.all([createDatabase('twice'), openProject('twice')]);
    await sql(
      database,
      `CREATE FUNCTION closed() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
         WHILE NOT pg_try_advisory_xact_lock_shared(1) LOOP PERFORM pg_sleep(0.05); END LOOP; RETURN false; END $$;
       CREATE VIEW slow AS SELECT i AS id FROM generate_series(1, 3) i, closed()`,
    );
    gate = new pg.Client({ connectionString: database });
    await gate.connect();
    const definition = project.pipeline('shop', { from: database, to: database, streams: [{ stream: 'slow' }] });
    runnable = { kind: 'pipeline', definition };
    id = runIdOf(project.project, 'shop');
  });
  after(async () => {
    await gate.end();
    await project[Symbol.asyncDispose]();
    await dropDatabase(database);
  });

  const start = (options: Partial<RunOptions> = {}) => startRun(project.client, runnable, { fullRefresh: false, ...options }, 'test');

  /** Starts the pipeline under another id, as a schedule does. */
  const startBeside = (suffix: string, options: RunOptions): Promise<WorkflowHandle> =>
    project.client.workflow.start('pipeline', {
      workflowId: `${id}-${suffix}`,
      taskQueue: taskQueueOf(project.project),
      args: workflowOf(runnable, options).args,
    });

  it('by hand joins the run under way; with options it is refused, naming that run', async () => {
    await shut();
    const first = await start();
    const second = await start();
    assert.deepEqual(second, { ...first, joined: true });
    await assert.rejects(start({ fullRefresh: true }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'conflict');
      assert.ok(error.message.includes(id) && error.message.includes(first.runId), error.message);
      return true;
    });
    await assert.rejects(start({ window: { from: '1', to: '2' } }), { code: 'conflict' });
    await open();
    const outcome = await runOutcome(project.client, runnable, first);
    assert.ok(outcome.ok, JSON.stringify(outcome));
  });

  it('under another id finds its streams taken and says by whom; a scheduled one ends as skipped', async () => {
    await shut();
    const first = await start();
    const stream = project.client.workflow.getHandle(`${id}/slow`);
    await until(async () => (await stream.describe()).status.name === 'RUNNING', 'stream');
    const [scheduled, manual] = await Promise.all([
      startBeside('2026-01-01T00:00:00Z', { trigger: 'schedule', fullRefresh: false }),
      startBeside('other', { trigger: 'manual', fullRefresh: false }),
    ]);
    const skipped = (await scheduled.result()) as RunReport;
    const [taken] = skipped.streams;
    assert.deepEqual([skipped.status, taken?.status], ['skipped', 'taken']);
    assert.deepEqual(taken?.by, { workflowId: id, runId: first.runId });
    assert.match(taken?.failure?.message ?? '', new RegExp(`another run is loading slow: ${id}`));
    const refused = await runOutcome(project.client, runnable, { workflowId: manual.workflowId, runId: '' });
    assert.deepEqual([refused.ok, !refused.ok && refused.code], [false, 'conflict']);
    await open();
    assert.ok((await runOutcome(project.client, runnable, first)).ok);
  });
});
