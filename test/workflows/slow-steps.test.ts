import assert from 'node:assert/strict';
import { eventsOf, stepsOf } from '../durability/events.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

const more = { heartbeatTimeout: 4000 } as const;
const seconds = 12.5;

describe('a step that takes three heartbeat time-outs', function () {
  this.timeout(180_000);
  let project: TestProject;
  let source: string;
  let warehouse: string;

  before(async () => {
    [source, warehouse, project] = await Promise.all([createDatabase('source'), createDatabase('warehouse'), openProject('slow')]);
  });
  after(async () => {
    await project[Symbol.asyncDispose]();
    await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
  });

  it('succeeds in its first attempt: a commit whose target is slow', async () => {
    await sql(source, `CREATE TABLE goods (id int PRIMARY KEY, name text); INSERT INTO goods VALUES (1, 'a')`);
    const streams = [{ stream: 'goods', mode: 'merge' as const, key: ['id'] }];
    const definition = project.pipeline('commit', { from: source, to: warehouse, streams, more });
    assert.ok((await project.run(definition)).ok);
    await sql(
      warehouse,
      `CREATE FUNCTION landed.sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(${seconds}); RETURN NULL; END';
       CREATE TRIGGER sleep BEFORE INSERT ON landed.goods FOR EACH STATEMENT EXECUTE FUNCTION landed.sleep()`,
    );
    await sql(source, `UPDATE goods SET name = 'b'`);
    const outcome = await project.run(definition);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.ok((outcome.report?.seconds ?? 0) > seconds);
    const steps = stepsOf(await eventsOf(project.client, `${project.project}/commit/goods`));
    assert.deepEqual(steps['commit'], { asked: 1, again: 0 });
    assert.deepEqual(await sql(warehouse, 'SELECT name FROM landed.goods'), [{ name: 'b' }]);
  });

  it('succeeds in its first attempt: an extract whose source thinks before the first row', async () => {
    await sql(source, `CREATE VIEW thinking AS SELECT i AS id FROM generate_series(1, 3) i, pg_sleep(${seconds})`);
    const outcome = await project.run(
      project.pipeline('extract', { from: source, to: warehouse, streams: [{ stream: 'thinking' }], more }),
    );
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const steps = stepsOf(await eventsOf(project.client, `${project.project}/extract/thinking`));
    assert.deepEqual(steps['extract'], { asked: 1, again: 0 });
  });
});
