import assert from 'node:assert/strict';
import { runIdOf } from '../../client/names.ts';
import type { PipelineDefinition, StreamDefinition } from '../../schema/definition.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from './until.ts';

const day = 86_400_000;

describe('deletes of an increment (reconcile)', () => {
  let project: TestProject;
  let source: string;
  let warehouse: string;

  before(async function () {
    this.timeout(240_000);
    [source, warehouse, project] = await Promise.all([createDatabase('source'), createDatabase('warehouse'), openProject('reconcile')]);
  });

  after(async () => {
    await assertBooksBalance(warehouse);
    await project[Symbol.asyncDispose]();
    await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
  });

  /** A table of twenty rows in the source, and a pipeline that has loaded it once. */
  async function loaded(name: string, given: Partial<StreamDefinition> = {}): Promise<PipelineDefinition> {
    await sql(
      source,
      `CREATE TABLE ${name} (id int PRIMARY KEY, code text, note text, at timestamptz NOT NULL);
       INSERT INTO ${name} SELECT i, ' c' || i || ' ', 'note', timestamptz '2026-01-01' + i * interval '1 second' FROM generate_series(1, 20) i`,
    );
    const stream = { stream: name, mode: 'merge' as const, cursor: 'at', deletes: 'remove' as const, reconcileEvery: day, ...given };
    const pipeline = project.pipeline(name, { from: source, to: warehouse, streams: [stream] });
    const outcome = await project.run(pipeline);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return pipeline;
  }

  /** Lets the last complete read be two days ago. */
  async function letADayPass(name: string): Promise<void> {
    await sql(warehouse, `UPDATE _millrace.state SET reconciled_at = reconciled_at - interval '2 days' WHERE pipeline = $1`, [name]);
  }

  const ids = async (name: string, where = 'true'): Promise<string> =>
    String((await sql(warehouse, `SELECT string_agg(id::text, ',' ORDER BY id) AS ids FROM landed.${name} WHERE ${where}`))[0]?.['ids']);

  const modes = async (name: string): Promise<unknown> =>
    (await sql(warehouse, 'SELECT mode FROM _millrace.loads WHERE pipeline = $1 ORDER BY version', [name])).map((row) => row['mode']);

  it('removes rows that are gone from the source once it is time, and not before', async () => {
    const pipeline = await loaded('removed');
    await sql(source, `DELETE FROM removed WHERE id IN (3, 4); UPDATE removed SET note = 'new', at = now() WHERE id = 5`);
    const early = await project.run(pipeline);
    assert.equal(early.report?.streams[0]?.deleted, 0);
    assert.deepEqual(await modes('removed'), ['merge', 'merge'], 'the first run read everything, so it needs no keys');
    await letADayPass('removed');
    const outcome = await project.run(pipeline);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const [stream] = outcome.report?.streams ?? [];
    assert.equal(stream?.deleted, 2);
    assert.match(stream?.notes.join('\n') ?? '', /reconciled: 18 keys read, 2 rows .* removed/);
    assert.equal(await ids('removed', 'id < 7'), '1,2,5,6');
    assert.deepEqual(
      await sql(
        warehouse,
        `SELECT read, unchanged, deleted, cursor FROM _millrace.loads WHERE pipeline = 'removed' AND mode = 'reconcile'`,
      ),
      [{ read: '18', unchanged: '18', deleted: '2', cursor: null }],
    );
    await project.run(pipeline);
    assert.deepEqual(await modes('removed'), ['merge', 'merge', 'merge', 'reconcile', 'merge'], 'a reconciliation lasts for a day');
  });

  it('marks rows that are gone, and takes the mark away when they come back', async () => {
    const pipeline = await loaded('marked', { deletes: 'mark' });
    await sql(source, 'DELETE FROM marked WHERE id = 3');
    await letADayPass('marked');
    const outcome = await project.run(pipeline);
    assert.equal(outcome.report?.streams[0]?.deleted, 1, JSON.stringify(outcome));
    assert.equal(await ids('marked', '_deleted_at IS NOT NULL'), '3');
    await sql(source, `INSERT INTO marked VALUES (3, 'c3', 'back', now())`);
    assert.ok((await project.run(pipeline)).ok);
    assert.equal(await ids('marked', '_deleted_at IS NOT NULL'), 'null');
  });

  it('closes the version of a row that is gone from a history', async () => {
    const pipeline = await loaded('versions', { mode: 'history' });
    await sql(source, 'DELETE FROM versions WHERE id = 3');
    await letADayPass('versions');
    assert.equal((await project.run(pipeline)).report?.streams[0]?.deleted, 1);
    assert.equal(await ids('versions', 'NOT _is_current AND _valid_to IS NOT NULL'), '3');
    assert.equal(await ids('versions', 'id < 5 AND _is_current'), '1,2,4');
  });

  it('finds keys that the steps rename, clean, cast and derive, whatever the filters leave out', async () => {
    const steps: StreamDefinition['transform'] = [
      { trim: ['code'] },
      { filter: { id: { lte: 10 } } },
      { rename: { code: 'short', id: 'number' } },
      { derive: { half: { sql: 'number * 2', type: 'integer' } } },
      { cast: { number: 'text' } },
      { expect: { note: { not_null: true } } },
    ];
    const stepped = await loaded('stepped', { key: ['short', 'number'], transform: steps });
    const derived = await loaded('derived', { key: ['half'], transform: steps });
    await sql(source, 'DELETE FROM stepped WHERE id = 3; DELETE FROM derived WHERE id = 4');
    for (const [pipeline, gone] of [
      [stepped, '3'],
      [derived, '4'],
    ] as const) {
      await letADayPass(pipeline.name);
      const outcome = await project.run(pipeline);
      assert.equal(outcome.report?.streams[0]?.deleted, 1, JSON.stringify(outcome));
      const left = await sql(
        warehouse,
        `SELECT count(*) AS rows, count(*) FILTER (WHERE number = $1) AS gone FROM landed.${pipeline.name}`,
        [gone],
      );
      assert.deepEqual(left, [{ rows: '9', gone: '0' }]);
    }
  });

  it('refuses a sql step before anything is loaded', async () => {
    await assert.rejects(loaded('queried', { transform: [{ sql: 'SELECT * FROM input' }] }), /reconcile reads only the keys/);
  });

  it('stops at the guard with what the run loaded in place, and goes on when the guard is raised', async () => {
    const pipeline = await loaded('guarded', { maxDeleted: 0.1 });
    await sql(source, `DELETE FROM guarded WHERE id <= 6; UPDATE guarded SET note = 'new', at = now() WHERE id = 7`);
    await letADayPass('guarded');
    const stopped = await project.run(pipeline);
    assert.ok(!stopped.ok);
    assert.equal(stopped.code, 'rejected');
    assert.match(
      stopped.message,
      /6 of 20 rows of landed\.guarded .*guards\.deletes \(10%\).*what this run loaded stays.*set guards\.deletes higher in the project file/,
    );
    assert.equal(stopped.report?.streams[0]?.loaded, 1);
    assert.equal(await ids('guarded', `note = 'new'`), '7');
    const [stream] = pipeline.streams;
    assert.ok(stream !== undefined);
    const raised = await project.run({ ...pipeline, streams: [{ ...stream, maxDeleted: 0.5 }] });
    assert.equal(raised.report?.streams[0]?.deleted, 6, JSON.stringify(raised));
    assert.equal(await ids('guarded', 'id < 9'), '7,8');
  });

  it('looks for deletes in the next run when this one was ended before it could take them out', async () => {
    const pipeline = await loaded('ended');
    await sql(source, 'DELETE FROM ended WHERE id = 3');
    await letADayPass('ended');
    await sql(
      warehouse,
      `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN OLD; END $$;
       CREATE TRIGGER wait BEFORE DELETE ON landed.ended FOR EACH ROW EXECUTE FUNCTION wait()`,
    );
    const running = project.run(pipeline);
    const asleep = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;
    await until(async () => (await sql(warehouse, asleep)).length > 0, 'commit of the keys');
    await project.client.workflow.getHandle(runIdOf(project.project, 'ended')).cancel();
    assert.equal((await running).ok, false);
    assert.deepEqual(await modes('ended'), ['merge', 'merge'], 'the increment stays');
    await sql(warehouse, 'DROP TRIGGER wait ON landed.ended');
    const outcome = await project.run(pipeline);
    assert.equal(outcome.report?.streams[0]?.deleted, 1, JSON.stringify(outcome));
    assert.deepEqual(await modes('ended'), ['merge', 'merge', 'merge', 'reconcile']);
  });
});
