import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { createChangesPart } from '../../gateway/changes/index.ts';
import { askAndLeave, openTestGateway, until, type TestGateway, type TestGatewaySettings } from '../gateway-kit.ts';
import { sql } from '../pipeline-kit.ts';
import { followChanges } from './changes-kit.ts';

const settings: TestGatewaySettings = {
  tables: `CREATE TABLE marts.customers (id bigint PRIMARY KEY, region text); CREATE TABLE marts.orders (id bigint PRIMARY KEY, customer_id bigint);
    CREATE VIEW marts.totals AS SELECT customer_id AS id, count(*) AS orders FROM marts.orders GROUP BY 1`,
  apis: {
    customers: {
      dataset: 'marts.customers',
      key: 'id',
      roles: { analyst: { fields: 'all' }, support: { fields: ['id'], rows: 'region = ${claim:region}' } },
    },
    orders: { dataset: 'marts.orders', key: 'id', roles: { analyst: { fields: 'all' } } },
    totals: { dataset: 'marts.totals', key: 'id', roles: { analyst: { fields: 'all' }, board: { fields: 'all' } } },
    later: { dataset: 'marts.later', key: 'id', roles: { analyst: { fields: 'all' } } },
  },
  gateway: { rate: { all: '100000/s', role: '100000/s' } },
};

describe('the gateway: changes', function () {
  this.timeout(120_000);
  let gateway: TestGateway;
  before(async () => {
    gateway = await openTestGateway(settings);
  });
  after(async () => await gateway[Symbol.asyncDispose]());
  const scopes = ['changes'];
  const analyst = async (): Promise<string> => await gateway.token({ role: 'analyst', scopes });

  it('tells of commits to what the role may read by the names of APIs, views that read them among these', async () => {
    await using stream = await followChanges(gateway.address, '/changes', await analyst());
    assert.equal(stream.status, 200);
    assert.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    await until(() => stream.cursor !== '');
    assert.ok((stream.retry ?? 0) >= 1000);
    for (const table of ['marts.orders', 'raw.orders', 'marts.customers']) await gateway.announce(table);
    await until(() => stream.events.length === 2);
    assert.deepEqual(
      stream.events.map(({ data: { apis, rows } }) => ({ apis, rows })),
      [
        { apis: ['orders', 'totals'], rows: 1 },
        { apis: ['customers'], rows: 1 },
      ],
    );
    assert.doesNotMatch(JSON.stringify(stream.events), /marts|raw/);
    assert.ok(stream.events.every(({ id, data }) => id === data.id));
  });

  it('tells of the commit that brings an API into being', async () => {
    await using stream = await followChanges(gateway.address, '/changes', await analyst());
    await until(() => stream.cursor !== '');
    await sql(gateway.database, 'CREATE TABLE marts.later (id bigint PRIMARY KEY)');
    await gateway.announce('marts.later');
    await until(() => stream.events.length === 1);
    assert.deepEqual(stream.events[0]?.data.apis, ['later']);
  });

  it('does not tell the number of rows to who sees a table through a view alone', async () => {
    await using stream = await followChanges(gateway.address, '/changes', await gateway.token({ role: 'board', scopes }));
    await until(() => stream.cursor !== '');
    await gateway.announce('marts.orders');
    await until(() => stream.events.length === 1);
    const [event] = stream.events;
    assert.deepEqual([event?.data.apis, event?.data.rows], [['totals'], null]);
  });

  it('counts no stream of a client that was gone before it was heard', async () => {
    const token = await analyst();
    for (let n = 0; n < 12; n++) {
      await askAndLeave(gateway.address, '/changes', token);
    }
    await until(async () => {
      await using stream = await followChanges(gateway.address, '/changes', token);
      return stream.status === 200;
    });
  });

  it('shows a role only its own APIs, without the number of rows where it does not see all', async () => {
    const token = await gateway.token({ role: 'support', scopes, claims: { region: 'eu' } });
    await using stream = await followChanges(gateway.address, '/changes', token);
    await until(() => stream.cursor !== '');
    for (const table of ['marts.orders', 'marts.customers']) await gateway.announce(table);
    await until(() => stream.events.length === 1);
    const [event] = stream.events;
    assert.deepEqual([event?.data.apis, event?.data.rows], [['customers'], null]);
    const hidden = await gateway.get('/changes?api=orders', { token });
    const unknown = await gateway.get('/changes?api=nothing', { token });
    assert.deepEqual([hidden.status, unknown.status], [404, 404]);
    assert.equal(hidden.text.replaceAll('orders', 'nothing'), unknown.text);
  });

  it('tells only of the APIs that are asked for, or that the scopes of the token name', async () => {
    const named = await gateway.token({ role: 'analyst', scopes: ['changes', 'api:customers'] });
    await using asked = await followChanges(gateway.address, '/changes?api=customers,orders', await analyst());
    await using scoped = await followChanges(gateway.address, '/changes', named);
    await until(() => asked.cursor !== '' && scoped.cursor !== '');
    for (const table of ['marts.orders', 'marts.customers']) await gateway.announce(table);
    await until(() => asked.events.length === 2 && scoped.events.length === 1);
    assert.deepEqual(
      asked.events.map(({ data }) => data.apis),
      [['orders'], ['customers']],
    );
    assert.deepEqual(
      scoped.events.map(({ data }) => data.apis),
      [['customers']],
    );
    assert.equal((await gateway.get('/changes?api=orders', { token: named })).status, 404);
  });

  it('refuses who has no token, no scope, no role or a cursor that is none', async () => {
    const token = await analyst();
    const statuses = await Promise.all([
      gateway.get('/changes'),
      gateway.get('/changes', { token: await gateway.token({ role: 'analyst', scopes: ['api'] }) }),
      gateway.get('/changes', { token: await gateway.token({ scopes }) }),
      gateway.get('/changes?cursor=bm9uZQ', { token }),
      gateway.get('/changes?since=1', { token }),
      gateway.get('/changes', { token, headers: { 'last-event-id': "' OR 1=1" } }),
    ]);
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [401, 403, 403, 400, 400, 400],
    );
  });

  it('gives what was missed since a cursor, each once and in order, and goes on from there', async () => {
    const token = await analyst();
    const first = await followChanges(gateway.address, '/changes', token);
    await until(() => first.cursor !== '');
    await first[Symbol.asyncDispose]();
    await gateway.sql(`SELECT _millrace.announce('p', 'marts.customers', 'n', NULL, i) FROM generate_series(1, 450) i`);
    await using second = await followChanges(gateway.address, '/changes?cursor=ignored', token, { 'last-event-id': first.cursor });
    await until(() => second.events.length === 450);
    await gateway.announce('marts.orders');
    await until(() => second.events.length === 451);
    assert.deepEqual(
      second.events.slice(0, 450).map(({ data }) => data.rows),
      Array.from({ length: 450 }, (_, no) => no + 1),
    );
    await using third = await followChanges(gateway.address, `/changes?cursor=${second.events[448]?.id ?? ''}`, token);
    await until(() => third.events.length === 2);
    assert.deepEqual(third.events, second.events.slice(449));
  });

  it('says that a cursor is too old (410) when changes behind it are kept no longer, or were never there', async () => {
    const token = await analyst();
    await using stream = await followChanges(gateway.address, '/changes', token);
    await until(() => stream.cursor !== '');
    await gateway.announce('marts.orders');
    await until(() => stream.events.length === 1);
    const id = stream.events[0]?.id ?? '';
    const ahead = Buffer.from(`change ${10n ** 15n}`).toString('base64url');
    assert.equal((await gateway.get(`/changes?cursor=${ahead}`, { token })).status, 410);
    const number = Buffer.from(id, 'base64url').toString().replace('change ', '');
    await gateway.sql(`DELETE FROM _millrace.changes WHERE id <= ${number}`);
    await gateway.sql(`INSERT INTO _millrace.forgotten_changes VALUES ('p', ${number})`);
    const old = Buffer.from(`change ${BigInt(number) - 1n}`).toString('base64url');
    const refused = await gateway.get(`/changes?cursor=${old}`, { token });
    assert.deepEqual([refused.status, refused.json.title], [410, 'Cursor too old']);
    await using going = await followChanges(gateway.address, `/changes?cursor=${id}`, token);
    assert.equal(going.status, 200);
  });

  it('allows a token so many streams', async () => {
    const token = await analyst();
    const streams = await Promise.all(Array.from({ length: 10 }, async () => await followChanges(gateway.address, '/changes', token)));
    const refused = await gateway.get('/changes', { token });
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '5']);
    for (const stream of streams) await stream[Symbol.asyncDispose]();
    await until(async () => {
      await using again = await followChanges(gateway.address, '/changes', token);
      return again.status === 200;
    });
  });
});

describe('the gateway: streams of changes end and come back', function () {
  this.timeout(120_000);
  /** A gateway with the same stream once more, with times of the test's own. */
  const withTimes = async (times: object): Promise<TestGateway> =>
    await openTestGateway({ ...settings, parts: [createChangesPart({ path: '/quick', times })] });
  const tokenOf = async (gateway: TestGateway): Promise<string> => await gateway.token({ role: 'analyst', scopes: ['changes'] });

  it('says that it lives, with a cursor that has passed what the caller does not see', async () => {
    await using gateway = await withTimes({ heartbeat: 100 });
    await using stream = await followChanges(gateway.address, '/quick', await tokenOf(gateway));
    await until(() => stream.cursor !== '');
    const before = stream.cursor;
    await gateway.announce('raw.unseen');
    await until(() => stream.cursor !== before);
    assert.ok(stream.heartbeats > 1 && stream.events.length === 0);
  });

  it('ends within seconds when the token is revoked or expires', async () => {
    await using gateway = await withTimes({ recheck: 200 });
    const token = await tokenOf(gateway);
    const soon = await gateway.token({ role: 'analyst', scopes: ['changes'] });
    await using stream = await followChanges(gateway.address, '/quick', token);
    await using short = await followChanges(gateway.address, '/quick', soon);
    await until(() => stream.cursor !== '' && short.cursor !== '');
    await gateway.sql(`UPDATE _millrace.api_tokens SET expires_at = now() WHERE id = $1`, [/^mr_([^_]+)_/.exec(soon)?.[1]]);
    await gateway.books.revokeToken(gateway.definition.project, /^mr_([^_]+)_/.exec(token)?.[1] ?? '');
    assert.deepEqual(await Promise.all([stream.ended, short.ended]), ['end', 'end']);
    await until(async () => (await gateway.get('/quick', { token })).status === 401);
  });

  it('ends when the gateway drains, and what comes meanwhile is told by the next gateway: nothing is missing, in order', async () => {
    await using gateway = await openTestGateway(settings);
    const token = await tokenOf(gateway);
    await using stream = await followChanges(gateway.address, '/changes', token);
    await until(() => stream.cursor !== '');
    for (let no = 0; no < 5; no += 1) await gateway.announce('marts.orders');
    await until(() => stream.events.length > 0);
    await gateway.close();
    assert.equal(await stream.ended, 'end');
    for (let no = 0; no < 5; no += 1) await gateway.announce('marts.customers');
    await using next = await openTestGateway({
      ...settings,
      database: gateway.database,
      tables: '',
      define: (made) => ({ ...made, project: gateway.definition.project }),
    });
    await next.announce('marts.orders');
    await using again = await followChanges(next.address, '/changes', token, { 'last-event-id': stream.cursor });
    await until(() => stream.events.length + again.events.length >= 11);
    const ids = [...stream.events, ...again.events].map(({ id }) => id);
    assert.equal(new Set(ids).size, 11);
  });

  it('cuts off a reader that takes nothing, whose neighbours go on, and who misses nothing when he comes back', async () => {
    await using gateway = await withTimes({ patience: 500 });
    const token = await tokenOf(gateway);
    const url = new URL(gateway.address);
    const slow = connect(Number(url.port), url.hostname);
    let isClosed = false;
    slow.on('error', () => undefined).on('close', () => (isClosed = true));
    slow.write(`GET /quick HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`);
    await new Promise((resolve) => slow.once('data', resolve));
    slow.pause();
    await using stream = await followChanges(gateway.address, '/changes', token);
    await until(() => stream.cursor !== '');
    const from = stream.cursor;
    const many = 60_000;
    await gateway.sql(
      `INSERT INTO _millrace.changes SELECT nextval('_millrace.change_ids'), repeat('p', 10), 'marts.orders', 'n', NULL, i, now() FROM generate_series(1, ${many}) i`,
    );
    await gateway.announce('marts.orders');
    await until(() => stream.events.length === many + 1);
    await until(() => gateway.log.some(({ message }) => message.includes('takes nothing')));
    slow.resume();
    await until(() => isClosed);
    await using again = await followChanges(gateway.address, '/changes', token, { 'last-event-id': from });
    await until(() => again.events.length === many + 1);
    assert.equal(new Set(again.events.map(({ id }) => id)).size, many + 1);
  });

  it('wakes webhooks at its start and for changes to their datasets, and again while that fails', async () => {
    const woken: string[] = [];
    let failures = 2;
    const hook = { type: 'webhook', url: 'https://partner.example/hook', secret: '${env:HOOK_SECRET}' };
    await using gateway = await openTestGateway({
      ...settings,
      environment: { HOOK_SECRET: 'secret' },
      project: { connections: { hook } },
      gateway: { webhooks: { all: { to: 'hook', datasets: ['marts.*'] }, one: { to: 'hook', datasets: ['marts.orders'] } } },
      runs: {
        wakeWebhook: async (name) => {
          if (failures-- > 0) throw new Error('away');
          woken.push(name);
          await Promise.resolve();
        },
      },
    });
    await until(() => woken.includes('all') && woken.includes('one'));
    const before = woken.length;
    await gateway.announce('raw.orders');
    await gateway.announce('marts.customers');
    await until(() => woken.length === before + 1);
    assert.equal(woken.at(-1), 'all');
    await gateway.announce('marts.orders');
    await until(() => woken.length === before + 3);
  });
});
