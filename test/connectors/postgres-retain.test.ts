import assert from 'node:assert/strict';
import { openWarehouse } from '../../connectors/postgres/warehouse/warehouse.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

const day = 86_400_000;

describe('retention', function () {
  this.timeout(180_000);
  let database: string;
  let project: TestProject;

  const load = async (name: string): Promise<void> => {
    const outcome = await project.run(
      project.pipeline(name, {
        from: database,
        to: database,
        schema: name,
        streams: [{ stream: 'goods' }, { stream: 'rare' }],
        more: { retention: { rejections: 30 * day, loads: 90 * day, stagedLoads: 1 } },
      }),
    );
    assert.ok(outcome.ok, JSON.stringify(outcome));
  };
  const reject = async (pipeline: string, stream: string, age: string): Promise<void> => {
    await sql(
      database,
      `INSERT INTO _millrace.rejections (project, pipeline, stream, load_id, at) VALUES ($1, $2, $3, gen_random_uuid(), now() - $4::interval)`,
      [project.project, pipeline, stream, age],
    );
  };
  const rejections = async (pipeline: string): Promise<unknown> =>
    (await sql(database, 'SELECT stream FROM _millrace.rejections WHERE pipeline = $1 ORDER BY stream', [pipeline])).map(
      ({ stream }) => stream,
    );

  before(async () => {
    [database, project] = await Promise.all([createDatabase('retain'), openProject('retain')]);
    await sql(database, 'CREATE TABLE goods (id int PRIMARY KEY); CREATE TABLE rare (id int PRIMARY KEY); INSERT INTO goods VALUES (1)');
    await load('first');
  });

  after(async () => {
    await project[Symbol.asyncDispose]();
    await dropDatabase(database);
  });

  it('forgets old rejections of a pipeline after its load, and nothing of others', async () => {
    for (const [stream, age] of [
      ['old', '31 days'],
      ['young', '29 days'],
    ] as const) {
      await reject('second', stream, age);
      await reject('elsewhere', stream, age);
    }
    await load('second');
    assert.deepEqual(await rejections('second'), ['young']);
    assert.deepEqual(await rejections('elsewhere'), ['old', 'young']);
  });

  it('forgets once a day at most', async () => {
    await reject('second', 'late comer', '31 days');
    await load('second');
    assert.deepEqual(await rejections('second'), ['late comer', 'young']);
  });

  it('forgets old loads with their files, but never the last of a stream', async () => {
    await sql(database, `UPDATE _millrace.loads SET committed_at = committed_at - interval '91 days' WHERE pipeline = 'second'`);
    await sql(
      database,
      `UPDATE _millrace.loads SET committed_at = now() WHERE load_id =
         (SELECT load_id FROM _millrace.loads WHERE pipeline = 'second' AND stream = 'goods' ORDER BY committed_at DESC LIMIT 1)`,
    );
    await using warehouse = await openWarehouse({ type: 'postgres', url: database }, 'warehouse');
    const attempt = { signal: new AbortController().signal, name: 'millrace:test:retain:0', beat: () => undefined };
    const retention = { project: project.project, pipeline: 'second', rejections: 30 * day, loads: 90 * day };
    for (let time = 0; time < 2; time += 1) {
      await warehouse.retain(retention, attempt);
      const left = await sql(database, `SELECT stream FROM _millrace.loads WHERE pipeline = 'second' ORDER BY stream`);
      assert.deepEqual(left, [{ stream: 'goods' }, { stream: 'rare' }]);
    }
    assert.deepEqual(
      await sql(
        database,
        `SELECT count(*) FROM (SELECT load_id FROM _millrace.load_files UNION SELECT load_id FROM _millrace.load_files_unlogged) f
         WHERE NOT EXISTS (SELECT FROM _millrace.loads l WHERE l.load_id = f.load_id)`,
      ),
      [{ count: '0' }],
    );
    assert.equal((await sql(database, `SELECT FROM _millrace.loads WHERE pipeline = 'first'`)).length, 2);
  });
});
