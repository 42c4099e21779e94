import assert from 'node:assert/strict';
import { runOutcome, startRun } from '../../client/runs.ts';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { busySessions, snapshot } from './sessions.ts';
import { until } from './until.ts';

describe('a run that is cancelled', function () {
  this.timeout(180_000);
  let project: TestProject;
  let source: string;
  let warehouse: string;

  before(async () => {
    [source, warehouse, project] = await Promise.all([createDatabase('source'), createDatabase('warehouse'), openProject('cancel')]);
    await sql(
      source,
      `CREATE TABLE goods (id int PRIMARY KEY, name text); INSERT INTO goods SELECT i, 'n' || i FROM generate_series(1, 100) i`,
    );
  });
  after(async () => {
    await project[Symbol.asyncDispose]();
    await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
  });

  /** Cancels a run when a step is at work, and gives what it came to. */
  async function cancelAt(definition: PipelineDefinition, step: string, isAtWork: () => Promise<boolean>): Promise<void> {
    const runnable = { kind: 'pipeline', definition } as const;
    const run = await startRun(project.client, runnable, { fullRefresh: false }, 'test');
    await until(isAtWork, `work of ${step}`);
    const cancelledAt = Date.now();
    await project.client.workflow.getHandle(run.workflowId).cancel();
    const outcome = await runOutcome(project.client, runnable, run);
    assert.deepEqual([outcome.ok, !outcome.ok && outcome.code], [false, 'cancelled']);
    assert.ok(Date.now() - cancelledAt < 30_000, 'stopped, not waited for');
    const { status } = await project.client.workflow.getHandle(run.workflowId, run.runId).describe();
    assert.equal(status.name, 'CANCELLED');
  }

  const running = (url: string, words: string) => async (): Promise<boolean> =>
    (await busySessions(url)).some((session) => session.includes(words));

  it('stops a statement of its source, and leaves nothing in the warehouse', async () => {
    await sql(source, 'CREATE VIEW asleep AS SELECT i AS id FROM generate_series(1, 3) i, pg_sleep(80)');
    const definition = project.pipeline('extract', { from: source, to: warehouse, schema: 'read', streams: [{ stream: 'asleep' }] });
    await cancelAt(definition, 'extract', running(source, 'COPY'));
    await until(async () => [...(await busySessions(source)), ...(await busySessions(warehouse))].length === 0, 'end of all sessions', 30);
    const [tables, rows, states, , loadTables] = await snapshot(warehouse, 'read');
    assert.deepEqual([tables, rows, loadTables], [[], [], []]);
    assert.ok((states as { version: string }[]).every(({ version }) => version === '0'));
  });

  it('stops a commit under way: rows, cursor and books stay as they were, and no load table is left', async () => {
    const streams = [{ stream: 'goods', mode: 'merge' as const, key: ['id'] }];
    const definition = project.pipeline('commit', { from: source, to: warehouse, schema: 'merged', streams });
    const first = await project.run(definition);
    assert.ok(first.ok, JSON.stringify(first));
    await sql(
      warehouse,
      `CREATE FUNCTION merged.sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(80); RETURN NULL; END';
       CREATE TRIGGER sleep BEFORE INSERT ON merged.goods FOR EACH STATEMENT EXECUTE FUNCTION merged.sleep()`,
    );
    const before = await snapshot(warehouse, 'merged');
    await sql(source, `UPDATE goods SET name = 'changed'`);
    await cancelAt(definition, 'commit', running(warehouse, 'INSERT INTO'));
    await until(async () => (await busySessions(warehouse)).length === 0, 'end of all sessions', 30);
    assert.deepEqual(await snapshot(warehouse, 'merged'), before);
    await sql(warehouse, 'DROP TRIGGER sleep ON merged.goods');
    const next = await project.run(definition);
    assert.ok(next.ok, JSON.stringify(next));
    await assertBooksBalance(warehouse);
  });

  it('interrupts a transform', async () => {
    const heavy = '(SELECT count(*) FROM range(1000000000000) r (x) WHERE x % 7 = length(name)) > 0';
    const streams = [{ stream: 'goods', transform: [{ filter: heavy }] }];
    const definition = project.pipeline('transform', { from: source, to: warehouse, schema: 'cleaned', streams });
    const stream = project.client.workflow.getHandle(`${project.project}/transform/goods`);
    await cancelAt(definition, 'transform', async () =>
      ((await stream.describe()).raw.pendingActivities ?? []).some(({ activityType, lastStartedTime }) => {
        const seconds = Date.now() / 1000 - Number(lastStartedTime?.seconds ?? Date.now());
        return activityType?.name === 'transform' && seconds > 1;
      }),
    );
    assert.deepEqual((await snapshot(warehouse, 'cleaned'))[4], []);
  });
});
