import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { applySchedules } from '../../client/schedules.ts';
import { watchesOf } from '../../client/watch-schedules.ts';
import type { Alert } from '../../schema/alert.ts';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from './until.ts';

describe('the watch over a pipeline', function () {
  this.timeout(240_000);
  let server: Server;
  let project: TestProject;
  let database: string;
  const received: Alert[] = [];

  const watched = (expectEvery: number): PipelineDefinition => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const settings = { type: 'webhook', url, allow_private: true };
    return project.pipeline('shop', {
      from: database,
      to: database,
      streams: [{ stream: 'goods' }],
      more: { expectEvery, alerts: [{ to: { name: 'ops', type: 'webhook', settings }, on: ['late', 'recovered'], template: 'json' }] },
    });
  };
  const apply = async (...definitions: PipelineDefinition[]) =>
    await applySchedules(project.client, project.project, watchesOf(definitions), { prune: true });

  before(async () => {
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        received.push(JSON.parse(text) as Alert);
        response.end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    [database, project] = await Promise.all([createDatabase('watched'), openProject('watch')]);
    await sql(database, 'CREATE TABLE goods (id int PRIMARY KEY)');
  });

  after(async () => {
    await apply();
    await project[Symbol.asyncDispose]();
    server.close();
    await dropDatabase(database);
  });

  it('is a schedule that apply makes, leaves and prunes with the others', async () => {
    const name = 'shop/watch';
    assert.deepEqual(await apply(watched(3_600_000)), [{ name, change: 'created' }]);
    assert.deepEqual(await apply(watched(3_600_000)), [{ name, change: 'unchanged' }]);
    assert.deepEqual(await apply(watched(7_200_000)), [{ name, change: 'updated' }]);
    await until(async () => (await apply()).some(({ change }) => change === 'pruned'), 'schedule in the list');
    assert.deepEqual(watchesOf([{ ...watched(1000), alerts: [] }]), [], 'nobody is to be told');
  });

  it('tells once that no run succeeded in time, and that one did', async () => {
    await apply(watched(2_000));
    const handle = project.client.schedule.getHandle(`${project.project}/shop/watch`);
    await until(async () => (await handle.describe()).info.numActionsTaken >= 3, 'three looks');
    await until(() => received.length > 0, 'alert');
    const outcome = await project.run(watched(2_000));
    assert.ok(outcome.ok, JSON.stringify(outcome));
    await until(() => received.length > 1, 'alert of the recovery');
    assert.deepEqual(
      received.slice(0, 2).map(({ kind }) => kind),
      ['late', 'recovered'],
    );
    assert.match(received[0]?.summary ?? '', /it never succeeded/);
    assert.deepEqual(received[0]?.details, ['no run is under way']);
    assert.match(received[1]?.summary ?? '', /after it was late/);
  });
});
