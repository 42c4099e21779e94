import assert from 'node:assert/strict';
import { startReplay } from '../../client/replay-webhook.ts';
import { wakeWebhook, webhookIdOf } from '../../client/wake-webhook.ts';
import { openWebhookBooks } from '../../connectors/postgres/webhook-books/webhook-books.ts';
import { openGatewayBooks } from '../../connectors/postgres/gateway-books/gateway-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { OutgoingWebhook } from '../../schema/webhook.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { historyToJson } from '../recorded.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from './until.ts';
import { datasetOf, deliveryOf, isSigned, openReceiver, secret, secretVariable, testWebhook, type Receiver } from './webhook-kit.ts';

describe('outgoing webhooks', function () {
  this.timeout(180_000);
  let project: TestProject;
  let warehouse: string;
  let receiver: Receiver;
  let away = 0;
  let beforeTaken: () => Promise<void> = async () => undefined;

  before(async () => {
    project = await openProject('webhooks', {
      environment: { ...process.env, [secretVariable]: secret },
      wrap: (dependencies) => ({
        ...dependencies,
        openWebhookBooks: async (connection) => {
          if (away-- > 0) throw new MillraceError('unavailable', 'the warehouse is away');
          const books = await dependencies.openWebhookBooks(connection);
          return {
            ...books,
            taken: async (...given) => {
              await beforeTaken();
              await books.taken(...given);
            },
          };
        },
      }),
    });
  });
  after(async () => await project[Symbol.asyncDispose]());

  beforeEach(async () => {
    beforeTaken = async () => undefined;
    [warehouse, receiver] = await Promise.all([createDatabase('webhooks'), openReceiver()]);
    await using books = await openGatewayBooks({ type: 'postgres', url: warehouse }, 'warehouse');
    await books.check();
  });
  afterEach(async () => {
    await receiver[Symbol.asyncDispose]();
    await dropDatabase(warehouse);
  });

  const commit = async (...datasets: string[]): Promise<void> => {
    for (const dataset of datasets)
      await sql(warehouse, `SELECT _millrace.announce('shop', $1, 'orders', 'a0000000-0000-4000-8000-000000000001', 3)`, [dataset]);
  };
  const webhookOf = (name: string, more: Parameters<typeof testWebhook>[3] = {}): OutgoingWebhook =>
    testWebhook(project.project, warehouse, receiver.url, { name, ...more });
  const tell = async (webhook: OutgoingWebhook): Promise<void> => await wakeWebhook(project.client, webhook, '0');
  const handleOf = (name: string) => project.client.workflow.getHandle(webhookIdOf(project.project, name));
  const tellToEnd = async (webhook: OutgoingWebhook): Promise<void> => {
    await tell(webhook);
    await handleOf(webhook.name).result();
  };
  const cursor = async (name: string) =>
    (await sql(warehouse, 'SELECT change_id FROM _millrace.webhook_cursors WHERE webhook = $1', [name]))[0];
  const letters = async () =>
    await sql(warehouse, 'SELECT change_id, reason, attempts, replayed_at FROM _millrace.dead_letters ORDER BY 1');

  it('tells each commit to its datasets once, in order, signed, and ends when it has caught up', async () => {
    await commit('marts.a', 'raw.a', 'marts.b', 'martsy.c');
    await tellToEnd(webhookOf('plain'));
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.a', 'marts.b']);
    const [first] = receiver.taken;
    assert.ok(first !== undefined && isSigned(first, secret) && !isSigned(first, 'another') && !isSigned({ ...first, body: '{}' }, secret));
    const { at, ...body } = JSON.parse(first.body) as Record<string, unknown>;
    const load = 'a0000000-0000-4000-8000-000000000001';
    assert.deepEqual(body, { id: deliveryOf(first), type: 'committed', project: 'shop', dataset: 'marts.a', load, rows: 3 });
    assert.match(String(at), /^20\d\d-.*Z$/);
    assert.deepEqual(await cursor('plain'), { change_id: '4' });
    await commit('marts.c');
    await tellToEnd(webhookOf('plain'));
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.a', 'marts.b', 'marts.c']);
  });

  it('begins where it is told to when it has never told anything', async () => {
    await commit('marts.a', 'marts.b');
    await wakeWebhook(project.client, webhookOf('later'), '1');
    await handleOf('later').result();
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.b']);
  });

  it('tries again what an address in trouble did not take, later as it asks, and nothing overtakes', async () => {
    await commit('marts.a', 'marts.b');
    const times: number[] = [];
    receiver.answer = (_, no) => {
      times.push(Date.now());
      if (no === 0) return { status: 500 };
      return no === 1 ? { status: 429, headers: { 'retry-after': '2' } } : { status: 204 };
    };
    await tellToEnd(webhookOf('trouble'));
    assert.deepEqual(receiver.refused.map(datasetOf), ['marts.a', 'marts.a']);
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.a', 'marts.b']);
    assert.equal(new Set([...receiver.refused, ...receiver.taken].map(deliveryOf)).size, 2);
    assert.ok((times[2] ?? 0) - (times[1] ?? 0) >= 1_900, String(times));
  });

  it('tells again, with the same id, what was taken when that could not be booked', async () => {
    await commit('marts.a', 'marts.b');
    let broke = false;
    beforeTaken = async () => {
      if (broke) return;
      broke = true;
      throw new MillraceError('unavailable', 'the connection broke');
    };
    await tellToEnd(webhookOf('unbooked'));
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.a', 'marts.a', 'marts.b']);
    const [first, again] = receiver.taken;
    assert.ok(first !== undefined && again !== undefined);
    assert.equal(deliveryOf(first), deliveryOf(again));
    assert.equal(first.body, again.body);
  });

  it('makes a dead letter of what is never taken, goes on, and replays it by command until it is taken', async () => {
    await commit('marts.a', 'marts.b', 'marts.c');
    receiver.answer = (received) => ({ status: datasetOf(received) === 'marts.a' ? 503 : datasetOf(received) === 'marts.b' ? 400 : 200 });
    const webhook = webhookOf('dead');
    await tellToEnd(webhook);
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.c']);
    assert.deepEqual(
      (await letters()).map(({ change_id: id, attempts }) => [id, attempts]),
      [
        ['1', '6'],
        ['2', '2'],
      ],
    );
    assert.match((await letters())[0]?.['reason'] ?? '', /HTTP 503/);
    assert.deepEqual(await cursor('dead'), { change_id: '3' });

    const refused = await (await startReplay(project.client, webhook, ['2'])).result();
    assert.deepEqual([refused.taken, refused.refused.map(({ changeId }) => changeId)], [[], ['2']]);
    receiver.answer = () => ({ status: 200 });
    const report = await (await startReplay(project.client, webhook, ['1', '2'])).result();
    assert.deepEqual(report, { taken: ['1', '2'], refused: [] });
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.c', 'marts.a', 'marts.b']);
    assert.equal(
      receiver.taken.slice(1).every((one) => isSigned(one, secret)),
      true,
    );
    assert.deepEqual(new Set(receiver.refused.map(deliveryOf)), new Set(receiver.taken.slice(1).map(deliveryOf)));
    assert.equal(
      (await letters()).every(({ replayed_at: at }) => at !== null),
      true,
    );
    await using books = await openWebhookBooks({ type: 'postgres', url: warehouse }, 'warehouse');
    assert.deepEqual(await books.letters({ project: project.project, open: true, limit: 10 }), []);
  });

  it('follows no redirect and calls no private address that it was not allowed to', async () => {
    await commit('marts.a');
    receiver.answer = () => ({ status: 302, headers: { location: 'http://169.254.169.254/latest' } });
    await tellToEnd(webhookOf('redirect'));
    assert.match((await letters())[0]?.['reason'] ?? '', /HTTP 302; redirects are not followed/);
    const guarded = webhookOf('guarded');
    const { allow_private: _, ...settings } = guarded.to.settings;
    const before = receiver.refused.length;
    await tellToEnd({ ...guarded, to: { ...guarded.to, settings } });
    assert.equal(receiver.refused.length, before);
    assert.match((await letters()).at(-1)?.['reason'] ?? '', /private|allow_private/);
  });

  it('takes up a changed project file while it waits, and says meanwhile what it waits for', async () => {
    await commit('marts.a');
    receiver.answer = () => ({ status: 500 });
    const webhook = webhookOf('mended', { patience: { first: 60_000, longest: 60_000 } });
    await tell(webhook);
    await until(() => receiver.refused.length === 1, 'a first attempt');
    await using other = await openReceiver();
    await tell({ ...webhook, to: { ...webhook.to, settings: { ...webhook.to.settings, url: other.url } } });
    await handleOf('mended').result();
    assert.deepEqual(other.taken.map(datasetOf), ['marts.a']);
  });

  it('goes on while nothing can be booked, and puts no secret into Temporal', async () => {
    await commit('marts.a');
    away = 2;
    await tell(webhookOf('away'));
    await handleOf('away').result();
    assert.deepEqual(receiver.taken.map(datasetOf), ['marts.a']);
    const history = JSON.stringify(historyToJson(await handleOf('away').fetchHistory()));
    const decoded = history.replaceAll(/"data":"([^"]*)"/g, (_, data: string) => Buffer.from(data, 'base64').toString());
    assert.ok(decoded.includes('marts.*') && decoded.includes(secretVariable) && !decoded.includes(secret));
    assert.ok(away < 0);
  });
});
