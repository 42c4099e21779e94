import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followChanges } from '../gateway/changes-kit.ts';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase, temporalAddress } from '../servers.ts';
import { until } from '../workflows/until.ts';
import { datasetOf, deliveryOf, isSigned, openReceiver, secret, type Receiver } from '../workflows/webhook-kit.ts';
import { run, start, type Place, type Started } from './command-kit.ts';

const project = (name: string, url: string): string => `project: ${name}
connections:
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
  hook: { type: webhook, url: "${url}", secret: "\${env:HOOK_SECRET}", allow_private: true }
gateway: { listen: "127.0.0.1:0", webhooks: { partner: { to: hook, datasets: ["marts.*"] } } }
apis:
  orders: { dataset: marts.orders, key: id, roles: { analyst: { fields: all } } }
`;

describe('changes out, when processes are killed', function () {
  this.timeout(240_000);
  let place: Place;
  let warehouse: string;
  let receiver: Receiver;
  let worker: Started;
  let serving: Started;
  let address: string;
  const name = `hooks-${randomBytes(4).toString('hex')}`;

  const serve = async (): Promise<void> => {
    serving = start(place, ['serve']);
    await serving.until('/docs');
    address = /The gateway is at (\S+):/.exec(serving.written())?.[1] ?? '';
  };
  const kill = async (started: Started): Promise<void> => {
    started.child.kill('SIGKILL');
    await started.ended;
  };
  const announce = async (...datasets: string[]): Promise<void> => {
    for (const dataset of datasets) await sql(warehouse, `SELECT _millrace.announce('shop', $1, 'orders', NULL, 1)`, [dataset]);
  };
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { stdout, stderr } = await run(place, ...args, '--json');
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  before(async () => {
    [warehouse, receiver] = await Promise.all([createDatabase('command_webhook'), openReceiver()]);
    await sql(warehouse, 'CREATE SCHEMA marts; CREATE TABLE marts.orders (id bigint PRIMARY KEY)');
    const environment = { WAREHOUSE_URL: warehouse, HOOK_SECRET: secret, TEMPORAL_ADDRESS: await temporalAddress() };
    place = { folder: await mkdtemp(join(tmpdir(), 'millrace-command-webhook-')), environment };
    await writeFile(join(place.folder, 'millrace.yaml'), project(name, receiver.url));
    worker = start(place, ['worker']);
    await serve();
  });
  after(async () => {
    await Promise.all([worker, serving].map(kill));
    await receiver[Symbol.asyncDispose]();
    await dropDatabase(warehouse);
    await rm(place.folder, { recursive: true, force: true });
  });

  it('a stream misses nothing over a killed gateway, and a webhook nothing over a killed worker, in order', async () => {
    const token = (await run(place, 'token', 'create', '--role', 'analyst')).stdout.trim();
    await using first = await followChanges(address, '/changes', token);
    await until(() => first.cursor !== '', 'a cursor');
    let killed: Promise<void> | undefined;
    receiver.answer = () => {
      killed ??= kill(worker);
      return { status: 503 };
    };
    await announce('marts.orders');
    await until(() => first.events.length === 1 && killed !== undefined, 'the first change on both ways', 60);
    await Promise.all([killed, kill(serving)]);
    assert.equal(await first.ended, 'broken');
    receiver.answer = () => ({ status: 200 });
    await announce('marts.orders', 'marts.other', 'raw.orders', 'marts.orders');
    worker = start(place, ['worker']);
    await serve();
    await using second = await followChanges(address, '/changes', token, { 'last-event-id': first.cursor });
    await until(() => second.events.length === 2, 'what was missed');
    assert.equal(new Set([...first.events, ...second.events].map(({ id }) => id)).size, 3);
    await until(() => receiver.taken.length >= 4, 'all deliveries', 90);
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.orders', 'marts.orders', 'marts.other', 'marts.orders']);
    assert.ok(receiver.taken.every((one) => isSigned(one, secret)));
    assert.deepEqual(new Set(receiver.refused.map(deliveryOf)), new Set(receiver.taken.slice(0, 1).map(deliveryOf)));
  });

  it('dead letters are listed, and replayed by number or all', async () => {
    const before = receiver.taken.length;
    await sql(
      warehouse,
      `INSERT INTO _millrace.dead_letters SELECT $1, 'partner', i, json_build_object('id', 'd-' || i, 'dataset', 'marts.' || i), 'the webhook answered HTTP 503', 32
       FROM generate_series(1001, 1003) i`,
      [name],
    );
    const shown = await run(place, 'webhooks');
    assert.match(shown.stdout, /partner +hook +marts\.\* +0 +3/);
    assert.match(shown.stdout, /partner 1002 .*32 attempts: the webhook answered HTTP 503/);
    const listed = await json('webhooks', 'partner');
    assert.equal((listed['deadLetters'] as unknown[]).length, 3);
    assert.deepEqual(await json('replay', 'partner', '1002'), { taken: ['1002'], refused: [] });
    receiver.answer = ({ body }) => ({ status: body.includes('marts.1003') ? 400 : 200 });
    const all = await run(place, 'replay', 'partner', '--all');
    assert.deepEqual([all.code, /1003 was not taken: .*HTTP 400/.test(all.stdout), /1 of 2 taken/.test(all.stdout)], [1, true, true]);
    assert.deepEqual(receiver.taken.slice(before).map(deliveryOf), ['d-1002', 'd-1001']);
    const refusals = await Promise.all([
      run(place, 'replay', 'partner'),
      run(place, 'replay', 'partner', '7'),
      run(place, 'replay', 'parner', '--all'),
    ]);
    assert.deepEqual(
      refusals.map(({ code }) => code),
      [2, 2, 2],
    );
    assert.match(refusals[2]?.stderr ?? '', /Did you mean "partner"\?/);
  });

  it('says why a webhook waits', async () => {
    receiver.answer = () => ({ status: 503 });
    await announce('marts.orders');
    let written = '';
    await until(
      async () => {
        written = (await run(place, 'webhooks')).stdout;
        return written.includes('partner waits');
      },
      'the reason',
      60,
    );
    assert.match(written, /partner waits: change \d+: attempt \d+ failed, the next is at \S+: .*HTTP 503/);
  });
});
