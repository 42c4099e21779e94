import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Alert } from '../../schema/alert.ts';
import type { AlertDefinition, ModelDefinition, PipelineDefinition } from '../../schema/definition.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from './until.ts';

describe('alerts', function () {
  this.timeout(240_000);
  let server: Server;
  let project: TestProject;
  let source: string;
  let warehouse: string;
  let refusals = 0;
  const received: (Alert & { page?: string })[] = [];

  const alertTo = (name: string, change: Partial<AlertDefinition> = {}): AlertDefinition => ({
    to: {
      name,
      type: 'webhook',
      settings: { type: 'webhook', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`, allow_private: true },
    },
    on: ['failed', 'recovered', 'late', 'rejected'],
    template: 'json',
    ...change,
  });
  const pipeline = (name: string, table: string, more: Partial<PipelineDefinition>): PipelineDefinition =>
    project.pipeline(name, { from: source, to: warehouse, schema: name, streams: [{ stream: table }], more });
  const kinds = (name: string): string[] => received.filter((alert) => alert.name === name).map(({ kind }) => kind);
  const told = (name: string, count: number): Promise<void> => until(() => kinds(name).length >= count, `${count} alerts of ${name}`);
  const isOpen = async (id: string): Promise<boolean> => {
    const { status } = await project.client.workflow.getHandle(`${project.project}/${id}`).describe();
    return status.name === 'RUNNING';
  };

  before(async () => {
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        if (refusals > 0) {
          refusals -= 1;
          response.writeHead(503).end();
          return;
        }
        received.push(JSON.parse(text) as Alert);
        response.end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    [source, warehouse, project] = await Promise.all([createDatabase('source'), createDatabase('warehouse'), openProject('alerts')]);
  });

  after(async () => {
    await project[Symbol.asyncDispose]();
    server.close();
    await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
  });

  it('tells once that a pipeline fails, however often it does, and once that it recovered', async () => {
    const definition = pipeline('shop', 'later', { alerts: [alertTo('ops')] });
    assert.ok(!(await project.run(definition)).ok);
    await told('shop', 1);
    assert.ok(!(await project.run(definition)).ok);
    await sql(source, 'CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)');
    const outcome = await project.run(definition);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    await told('shop', 2);
    assert.ok((await project.run(definition)).ok);
    await until(async () => !(await isOpen('shop/alert/failed/ops')), 'the end of the streak');
    assert.deepEqual(kinds('shop'), ['failed', 'recovered']);
    const [failed] = received;
    assert.match(failed?.details[0] ?? '', /later: not-found: .*later/);
    assert.equal(failed?.run?.workflowId, `${project.project}/shop`);
  });

  it('tells again when a pipeline fails after it recovered', async () => {
    const definition = pipeline('again', 'comes', { alerts: [alertTo('ops')] });
    for (const change of [
      'SELECT 1',
      'CREATE TABLE comes (id int PRIMARY KEY)',
      'DROP TABLE comes',
      'CREATE TABLE comes (id int PRIMARY KEY)',
    ]) {
      await sql(source, change);
      await project.run(definition);
    }
    await told('again', 4);
    assert.deepEqual(kinds('again'), ['failed', 'recovered', 'failed', 'recovered']);
  });

  it('goes on trying when the receiver is down, and the run does not wait for it', async () => {
    refusals = 2;
    assert.ok(!(await project.run(pipeline('patient', 'nowhere', { alerts: [alertTo('ops')] }))).ok);
    await told('patient', 1);
    assert.equal(refusals, 0);
  });

  it('tells that the share of rejected rows is too great, until a run is below it', async () => {
    await sql(source, `CREATE TABLE rates (id int PRIMARY KEY, rate text); INSERT INTO rates VALUES (1, '1.5'), (2, 'n/a'), (3, '3')`);
    const transform = [{ cast: { rate: 'numeric' } }];
    const definition = project.pipeline('rates', {
      from: source,
      to: warehouse,
      schema: 'rates',
      streams: [{ stream: 'rates', transform }],
      more: { alerts: [alertTo('ops', { rejectedShare: 0.1 })] },
    });
    for (let run = 0; run < 2; run += 1) {
      const outcome = await project.run(definition);
      assert.ok(outcome.ok, JSON.stringify(outcome));
    }
    await told('rates', 1);
    assert.deepEqual(kinds('rates'), ['rejected']);
    const [alert] = received.filter(({ name }) => name === 'rates');
    assert.deepEqual(alert?.details, ['rates: 1 of 3 rows rejected (33.3%)']);
    assert.doesNotMatch(JSON.stringify(alert), /n\/a/);
    await sql(source, `UPDATE rates SET rate = '2' WHERE id = 2`);
    await project.run(definition);
    await until(async () => !(await isOpen('rates/alert/rejected/ops')), 'the end of the streak');
  });

  it('tells what an alert asks for and nothing else', async () => {
    await project.run(pipeline('quiet', 'missing', { alerts: [alertTo('ops', { on: ['late'] }), alertTo('desk', { on: ['failed'] })] }));
    await told('quiet', 1);
    assert.deepEqual(kinds('quiet'), ['failed']);
  });

  it('tells of a model that fails, once, and not again for the pipeline that it follows', async () => {
    const model: ModelDefinition = {
      format: 1,
      project: project.project,
      name: 'totals',
      warehouse: { name: 'warehouse', type: 'postgres', settings: { type: 'postgres', url: warehouse } },
      sql: 'SELECT count(*) AS n FROM modelled.nothing',
      build: 'view',
      into: { schema: 'modelled', table: 'totals' },
      after: ['modelled'],
      alerts: [alertTo('ops')],
      heartbeatTimeout: 60_000,
    };
    await sql(source, 'CREATE TABLE something (id int PRIMARY KEY)');
    const run = async (sqlText: string): Promise<boolean> => {
      const definition = pipeline('modelled', 'something', { alerts: [alertTo('ops')], models: [{ ...model, sql: sqlText }] });
      return (await project.run(definition)).ok;
    };
    assert.equal(await run(model.sql), false);
    assert.equal(await run(model.sql), false);
    await told('totals', 1);
    assert.equal(await run('SELECT count(*) AS n FROM modelled.something'), true);
    await told('totals', 2);
    assert.deepEqual(kinds('totals'), ['failed', 'recovered']);
    assert.deepEqual(kinds('modelled'), []);
  });

  it('tells that a run could not even find its streams', async () => {
    assert.ok(!(await project.run(pipeline('wild', 'none_*', { alerts: [alertTo('ops')] }))).ok);
    await told('wild', 1);
    assert.match(received.find(({ name }) => name === 'wild')?.details[0] ?? '', /not-found: .*none_\*/);
  });

  it('tells that a pipeline is late while its warehouse is down, and why, once', async () => {
    const definition = project.pipeline('stuck', {
      from: source,
      to: 'postgres://nobody@127.0.0.1:1/none',
      streams: [{ stream: 'rates' }],
      more: { alerts: [alertTo('ops')] },
    });
    const going = project.run(definition);
    const id = `${project.project}/stuck`;
    const watchOnce = async (): Promise<void> => {
      await project.client.workflow.execute('watch', {
        workflowId: `${id}/watch`,
        taskQueue: `millrace-${project.project}`,
        args: [{ project: project.project, name: 'stuck', expectEvery: -1, alerts: definition.alerts }],
      });
    };
    await until(async () => {
      const { raw } = await project.client.workflow.getHandle(`${id}/rates`).describe();
      return raw.pendingActivities?.some(({ lastFailure }) => typeof lastFailure?.message === 'string') === true;
    }, 'a failed attempt');
    await until(async () => {
      for await (const _ of project.client.workflow.list({ query: `WorkflowId = '${id}/rates'` })) return true;
      return false;
    }, 'the run in the list');
    await watchOnce();
    await watchOnce();
    await told('stuck', 1);
    assert.deepEqual(kinds('stuck'), ['late']);
    const [alert] = received.filter(({ name }) => name === 'stuck');
    assert.match(alert?.summary ?? '', /it never succeeded/);
    assert.match(alert?.details[0] ?? '', /rates: under way since .* is at attempt \d+: .*127\.0\.0\.1:1/);
    await project.client.workflow.getHandle(id).cancel();
    await going;
    assert.deepEqual(kinds('stuck'), ['late'], 'a cancelled run is no failure');
  });
});
