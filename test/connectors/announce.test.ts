import assert from 'node:assert/strict';
import { definitionFormat, type ModelDefinition } from '../../schema/definition.ts';
import type { Load } from '../../schema/load.ts';
import { attempt, csv, deliver, makeLoad } from '../kits/loads.ts';
import { until, useWarehouse } from '../kits/postgres-warehouse.ts';

const model = (build: ModelDefinition['build'], sql: string): ModelDefinition => ({
  format: definitionFormat,
  project: 'test',
  name: 'report',
  warehouse: { name: 'warehouse', type: 'postgres', settings: {} },
  sql,
  build,
  into: { schema: 'finance', table: 'report' },
  after: ['shop'],
  alerts: [],
  heartbeatTimeout: 60_000,
});

const rows = (...ids: string[]) => [csv(ids.map((id) => [id, 'a', '2026-01-01 00:00:00+00']))];

describe('PostgreSQL as warehouse: announced commits', () => {
  const under = useWarehouse();
  const announced = async (): Promise<unknown> =>
    await under.rows('SELECT project, dataset, name, load_id, rows FROM _millrace.changes ORDER BY id');
  const deliverAs = async (given: Partial<Omit<Load, 'definition'>> & { definition: Load['definition'] | object }, ...ids: string[]) => {
    const load = makeLoad(given);
    await deliver(under.warehouse, load, rows(...ids));
    return load.id;
  };

  for (const mode of ['append', 'merge', 'history', 'replace'] as const) {
    it(`${mode}: a commit is announced with its dataset, load and rows, and heard`, async () => {
      const listener = await under.session();
      const heard: unknown[] = [];
      listener.on('notification', ({ payload }) => heard.push(JSON.parse(payload ?? '')));
      await listener.query('LISTEN millrace_changes');
      const first = await deliverAs({ definition: { mode } }, '1', '2');
      const second = await deliverAs({ definition: { mode }, expectedVersion: 1 }, '3');
      assert.deepEqual(await announced(), [
        ['test', 'shop.orders', 'shop', first, '2'],
        ['test', 'shop.orders', 'shop', second, '1'],
      ]);
      await listener.query('SELECT 1');
      assert.deepEqual(
        heard.map((one) => (one as { load_id: string }).load_id),
        [first, second],
      );
    });
  }

  it('a commit that changes nothing is not announced, but a replace always is', async () => {
    await deliverAs({ definition: { mode: 'append' } }, '1');
    await deliverAs({ definition: { mode: 'append' }, expectedVersion: 1 });
    assert.equal((await under.rows('SELECT FROM _millrace.changes')).length, 1);
    const target = { schema: 'shop', table: 'plans' };
    for (const [version] of [0, 1].entries()) {
      await deliver(
        under.warehouse,
        makeLoad({ target, stream: 'public.plans', definition: { stream: 'public.plans', mode: 'replace' }, expectedVersion: version }),
        [csv([])],
      );
    }
    assert.deepEqual(await under.rows(`SELECT rows FROM _millrace.changes WHERE dataset = 'shop.plans'`), [['0'], ['0']]);
  });

  it('rows that a reconciliation takes out are announced', async () => {
    await deliverAs({ definition: { mode: 'merge', deletes: 'remove', maxDeleted: 1 } }, '1', '2', '3');
    const load = makeLoad({
      definition: { mode: 'merge', deletes: 'remove', maxDeleted: 1 },
      expectedVersion: 1,
      reconciles: true,
      complete: true,
      columns: [{ name: 'id', type: 'bigint' }],
    });
    await deliver(under.warehouse, load, [csv([['1']])]);
    assert.deepEqual((await under.rows('SELECT load_id, rows FROM _millrace.changes ORDER BY id')).at(-1), [load.id, '2']);
  });

  it('a commit that is rolled back announces nothing, a repeated one announces once', async () => {
    const load = makeLoad({ definition: { mode: 'append' } });
    await under.client.query(
      `CREATE FUNCTION public.stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stopped'; END $$;
       CREATE TRIGGER stop AFTER INSERT ON _millrace.changes FOR EACH ROW EXECUTE FUNCTION public.stop()`,
    );
    await assert.rejects(deliver(under.warehouse, load, rows('1')), /P0001/);
    assert.deepEqual([await announced(), await under.rows(`SELECT to_regclass('shop.orders')`)], [[], [[null]]]);
    await under.client.query('DROP TRIGGER stop ON _millrace.changes');
    await deliver(under.warehouse, load, rows('1'));
    await deliver(under.warehouse, load, rows('1'));
    assert.equal((await under.rows('SELECT FROM _millrace.changes')).length, 1);
  });

  it('a model built as a table is announced each time, a view when its query changed', async () => {
    await deliverAs({ definition: { mode: 'replace' } }, '1', '2');
    const count = async (): Promise<number> =>
      (await under.rows(`SELECT FROM _millrace.changes WHERE (dataset, name) = ('finance.report', 'report')`)).length;
    const build = async (kind: ModelDefinition['build'], sql: string) => await under.warehouse.build(model(kind, sql), attempt('build'));
    for (const expected of [1, 2]) {
      await build('table', 'SELECT id FROM shop.orders');
      assert.equal(await count(), expected);
    }
    await under.client.query('DROP TABLE finance.report');
    await build('view', 'SELECT id FROM shop.orders');
    await build('view', 'SELECT id FROM shop.orders');
    assert.equal(await count(), 3);
    await build('view', 'SELECT id, status FROM shop.orders');
    assert.equal(await count(), 4);
  });

  it('ids become visible in their order: a reader that follows them misses none, whatever commits at the same time', async () => {
    const held = await under.session();
    await held.query(`BEGIN; SELECT _millrace.announce('test', 'a.held', 'p', NULL, 1)`);
    const writers = await Promise.all(Array.from({ length: 4 }, async () => await under.session()));
    let done = 0;
    const writing = writers.map(async (client) => {
      for (let no = 0; no < 25; no += 1) {
        await client.query(`BEGIN; SELECT _millrace.announce('test', 'a.b', 'p', NULL, 1)`);
        await client.query(no % 5 === 0 ? 'ROLLBACK' : 'COMMIT');
      }
      done += 1;
    });
    await until(
      under.client,
      `EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND NOT granted AND datname = current_database())`,
    );
    assert.deepEqual(await under.rows('SELECT id FROM _millrace.changes'), []);
    await held.query('COMMIT');
    const followed: string[] = [];
    const follow = async (): Promise<void> => {
      followed.push(
        ...(await under.rows('SELECT id FROM _millrace.changes WHERE id > $1 ORDER BY id', [followed.at(-1) ?? 0])).map(([id]) =>
          String(id),
        ),
      );
    };
    while (done < writers.length) await follow();
    await Promise.all(writing);
    await follow();
    assert.deepEqual(
      followed,
      (await under.rows('SELECT id FROM _millrace.changes ORDER BY id')).map(([id]) => String(id)),
    );
    assert.equal(followed.length, 81);
  });

  it('old announcements go with the loads of their pipeline, but none that a webhook has yet to tell', async () => {
    await under.client.query(
      `INSERT INTO _millrace.changes SELECT id, 'test', 'shop.orders', name, NULL, 1, now() - interval '100 days'
         FROM (VALUES (1, 'shop'), (2, 'report'), (3, 'shop'), (4, 'shop')) v(id, name);
       INSERT INTO _millrace.state (project, pipeline, stream, version, generation) VALUES ('test', 'other', 's', 1, 0);
       INSERT INTO _millrace.changes VALUES (5, 'test', 'shop.orders', 'shop', NULL, 1, now()), (6, 'test', 'a.b', 'other', NULL, 1, now() - interval '100 days');
       INSERT INTO _millrace.webhook_cursors VALUES ('test', 'partner', 3, now()), ('test', 'gone', 0, now() - interval '31 days')`,
    );
    await under.warehouse.retain({ project: 'test', pipeline: 'shop', rejections: 1, loads: 90 * 86_400_000 }, attempt());
    assert.deepEqual(await under.rows('SELECT id FROM _millrace.changes ORDER BY id'), [['4'], ['5'], ['6']]);
    assert.deepEqual(await under.rows('SELECT * FROM _millrace.forgotten_changes'), [['test', '3']]);
  });
});
