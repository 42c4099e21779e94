import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { ask, openTestGateway, until, type TestGateway } from '../gateway-kit.ts';

const secret = 'shared-canary';

describe('the gateway: triggers', function () {
  this.timeout(120_000);
  let gateway: TestGateway;
  let starts: string[] = [];
  let start = async (name: string): Promise<{ workflowId: string; runId: string; joined?: boolean }> =>
    await Promise.resolve({ workflowId: `p/${name}`, runId: `${starts.length}`, joined: false });
  const usual = start;

  before(async () => {
    const signed = (kind: string) => ({ run: 'shop', verify: { kind, secret: '${env:SHARED}' } });
    gateway = await openTestGateway({
      tables: 'CREATE TABLE marts.orders (id bigint PRIMARY KEY)',
      apis: { orders: { dataset: 'marts.orders', key: 'id', roles: { analyst: { fields: 'all' } } } },
      environment: { SHARED: secret },
      project: {
        connections: { source: { type: 'postgres', url: '${env:WAREHOUSE_URL}' } },
        pipelines: { shop: { from: 'source', to: 'warehouse.shop', streams: { 'public.orders': { mode: 'replace' } } } },
      },
      gateway: { triggers: { plain: { run: 'shop' }, hub: signed('github'), pay: signed('stripe') } },
      runs: {
        start: async (name) => {
          starts.push(name);
          return await start(name);
        },
      },
    });
  });
  after(async () => await gateway[Symbol.asyncDispose]());
  beforeEach(() => {
    starts = [];
    start = usual;
  });
  const sign = (body: string, key = secret): Record<string, string> => ({
    'x-hub-signature-256': `sha256=${createHmac('sha256', key).update(body).digest('hex')}`,
  });
  const post = async (name: string, body: string, headers: Record<string, string> = {}, token?: string) =>
    await ask(gateway.address, `/trigger/${name}`, { method: 'POST', body, headers, ...(token === undefined ? {} : { token }) });

  /** Posts from another address of this machine; gives the status. */
  const postFrom = async (localAddress: string, name: string, body: string, headers: Record<string, string>): Promise<number> =>
    await new Promise((resolve, reject) => {
      const options = { method: 'POST', localAddress, headers };
      const request = http.request(`${gateway.address}/trigger/${name}`, options, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      request.on('error', reject).end(body);
    });

  it('starts the run by a token of its scope and answers with its ids', async () => {
    const token = await gateway.token({ scopes: ['trigger:plain'] });
    const answer = await post('plain', '', {}, token);
    assert.deepEqual([answer.status, answer.json], [202, { workflowId: 'p/shop', runId: '1', joined: false, repeated: false }]);
    assert.deepEqual(starts, ['shop']);
    const statuses = await Promise.all([
      post('plain', ''),
      post('plain', '', {}, await gateway.token({ scopes: ['trigger:hub'] })),
      post('nothing', '', {}, await gateway.token({ scopes: ['trigger:nothing'] })),
      post('plain', '', sign('')),
    ]);
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [401, 403, 404, 401],
    );
    assert.equal(starts.length, 1);
  });

  it('starts the run by a signature of the very bytes, and refuses forged ones without a word on why', async () => {
    const body = '{ "ref":  "refs/heads/main" }';
    assert.equal((await post('hub', body, { ...sign(body), 'content-type': 'application/json' })).status, 202);
    const forged = await Promise.all([
      post('hub', body),
      post('hub', body, sign(body, 'guess')),
      post('hub', `${body} `, sign(body)),
      post('hub', body, { 'x-hub-signature-256': 'sha256=' }),
      post('pay', body, sign(body)),
      post('pay', body, { 'stripe-signature': `t=1,v1=${createHmac('sha256', secret).update(`1.${body}`).digest('hex')}` }),
    ]);
    assert.deepEqual(new Set(forged.map(({ status }) => status)), new Set([401]));
    assert.equal(new Set(forged.slice(1).map(({ text }) => text)).size, 1);
    assert.deepEqual(starts, ['shop']);
    assert.doesNotMatch(JSON.stringify([forged, gateway.log]), new RegExp(secret));
  });

  it('gives a repeat the answer of the first: by Idempotency-Key, and by the ids that senders give', async () => {
    const token = await gateway.token({ scopes: ['trigger:plain'] });
    const keyed = async (key: string) => (await post('plain', '', { 'idempotency-key': key }, token)).json as Record<string, unknown>;
    const [first, ...repeats] = await Promise.all([keyed('a'), keyed('a'), keyed('a')]);
    assert.equal(starts.length, 1);
    assert.deepEqual(new Set([first, ...repeats].map((one) => one?.['repeated'])), new Set([true, false]));
    assert.equal((await keyed('b'))['repeated'], false);
    const other = await gateway.token({ scopes: ['trigger:plain'] });
    assert.equal((await post('plain', '', { 'idempotency-key': 'a' }, other)).json.repeated, false);
    assert.equal(starts.length, 3);
    const delivery = { ...sign('{}'), 'x-github-delivery': 'd-1' };
    assert.deepEqual([(await post('hub', '{}', delivery)).json.repeated, (await post('hub', '{}', delivery)).json.repeated], [false, true]);
    const event = '{"id":"evt_1"}';
    const time = Math.floor(Date.now() / 1000);
    const stripe = { 'stripe-signature': `t=${time},v1=${createHmac('sha256', secret).update(`${time}.${event}`).digest('hex')}` };
    assert.deepEqual([(await post('pay', event, stripe)).json.repeated, (await post('pay', event, stripe)).json.repeated], [false, true]);
    assert.equal(starts.length, 5);
    assert.equal((await post('plain', '', { 'idempotency-key': 'x'.repeat(256) }, token)).status, 400);
  });

  it('says that it joined a run under way, and that one could not be started, which is kept by no key', async () => {
    const token = await gateway.token({ scopes: ['trigger:plain'] });
    start = async () => await Promise.reject(new Error('no server at secret.host'));
    const failed = await post('plain', '', { 'idempotency-key': 'later' }, token);
    assert.deepEqual([failed.status, failed.headers.get('retry-after')], [503, '5']);
    assert.doesNotMatch(failed.text, /secret\.host/);
    start = async () => await Promise.resolve({ workflowId: 'p/shop', runId: '9', joined: true });
    const joined = await post('plain', '', { 'idempotency-key': 'later' }, token);
    assert.deepEqual(joined.json, { workflowId: 'p/shop', runId: '9', joined: true, repeated: false });
  });

  it('is limited for a token, but forged requests use up nothing of a sender', async () => {
    const answers = await Promise.all(Array.from({ length: 620 }, async () => await post('hub', '{}', sign('{}', 'guess'))));
    assert.ok(answers.every(({ status }) => status === 401 || status === 429));
    assert.ok(
      answers.some(({ status }) => status === 429),
      'the address is heard no more',
    );
    assert.equal(await postFrom('127.0.0.2', 'hub', '{}', sign('{}')), 202);
    const token = await gateway.token({ scopes: ['trigger:plain'] });
    const many = await Promise.all(Array.from({ length: 620 }, async () => await post('plain', '', { 'idempotency-key': 'many' }, token)));
    assert.ok(many.some(({ status }) => status === 429));
    assert.equal(starts.length, 2);
  });

  it('is in the audit log: who started what, and how it went', async () => {
    const entries = async () =>
      await gateway.sql(`SELECT actor, result, details FROM _millrace.audit WHERE action = 'trigger' AND target = 'plain'`);
    await until(async () => {
      const results = (await entries()).map(({ result }) => result);
      return ['started', 'repeated', 'joined', 'failed'].every((result) => results.includes(result));
    });
    const [entry] = await entries();
    assert.match(String(entry?.['actor']), /^token:/);
    assert.deepEqual(entry?.['details'], { run: 'shop', workflowId: 'p/shop', runId: '1' });
  });
});
