import assert from 'node:assert/strict';
import type { Datasets } from '../../connectors/datasets.ts';
import { connectorOf } from '../../connectors/registry.ts';
import type { GatewayOptions } from '../../gateway/open.ts';
import { openTestGateway, until, type TestGateway, type TestGatewaySettings } from '../gateway-kit.ts';
import { startRedis, type RedisServer } from './redis-server.ts';

const tables = `
  CREATE TABLE marts.customers (id bigint PRIMARY KEY, name text, region text);
  INSERT INTO marts.customers VALUES (1, 'Ada', 'EU'), (2, 'Grace', 'US');
  CREATE TABLE marts.orders (id bigint PRIMARY KEY, customer_id bigint);
  INSERT INTO marts.orders VALUES (7, 1);`;

const roles = { support: { fields: 'all', rows: 'region = ${claim:region}' }, analyst: { fields: 'all', mask: { name: 'redact' } } };
const apis = {
  customers: {
    dataset: 'marts.customers',
    key: 'id',
    roles,
    relations: { orders: { dataset: 'marts.orders', on: { id: 'customer_id' } } },
    cache: { ttl: '1 hour', until: 'load' },
  },
  direct: { dataset: 'marts.customers', key: 'id', roles: { analyst: { fields: 'all' } } },
};

/** Opens real datasets whose reads are counted, and can be held up. */
class Counted {
  reads = 0;
  held: Promise<void> | undefined;

  readonly openDatasets: GatewayOptions['openDatasets'] = async ({ type, name, settings }, options) => {
    const datasets = await connectorOf(type, name).openDatasets(settings, name, options);
    const read: Datasets['read'] = async (...given) => {
      this.reads += 1;
      const body = await datasets.read(...given);
      await this.held;
      return body;
    };
    return {
      read,
      check: async () => await datasets.check(),
      describe: async (source) => await datasets.describe(source),
      countKey: async (...given) => await datasets.countKey(...given),
      export: (...given) => datasets.export(...given),
      get waiting() {
        return datasets.waiting;
      },
      [Symbol.asyncDispose]: async () => await datasets[Symbol.asyncDispose](),
    };
  };
}

const open = async (counted: Counted, more: TestGatewaySettings = {}): Promise<TestGateway> =>
  await openTestGateway({ tables, apis, ...more, options: { openDatasets: counted.openDatasets } });

describe('kept answers', () => {
  let gateway: TestGateway;
  let analyst: string;
  const counted = new Counted();

  before(async () => {
    gateway = await open(counted);
    analyst = await gateway.token({ role: 'analyst' });
  });
  after(async () => await gateway?.[Symbol.asyncDispose]());

  const nameOf = async (id: number, token: string): Promise<string> => (await gateway.get(`/api/customers/${id}`, { token })).json.name;

  it('are given without asking the warehouse, with the same ETag, and end with a commit at once', async () => {
    const path = '/api/customers?sort=region';
    const first = await gateway.get(path, { token: analyst });
    const reads = counted.reads;
    const second = await gateway.get(path, { token: analyst });
    assert.equal(counted.reads, reads);
    assert.equal(second.text, first.text);
    assert.equal(second.headers.get('etag'), first.headers.get('etag'));
    await gateway.sql(`UPDATE marts.customers SET region = 'XX' WHERE id = 2`);
    assert.equal((await gateway.get(path, { token: analyst })).text, first.text);
    await gateway.announce('marts.customers');
    const began = performance.now();
    await until(async () => (await gateway.get(path, { token: analyst })).text !== first.text);
    // It would be an hour.
    assert.ok(performance.now() - began < 15_000);
    await gateway.sql(`UPDATE marts.customers SET region = 'US' WHERE id = 2`);
  });

  it('of a relation end with a commit to its table', async () => {
    const path = '/api/customers/1?include=orders';
    const { text } = await gateway.get(path, { token: analyst });
    await gateway.sql('INSERT INTO marts.orders VALUES (8, 1)');
    await gateway.announce('marts.orders');
    await until(async () => (await gateway.get(path, { token: analyst })).text !== text);
  });

  it('of a read that began before a commit are not given after it', async () => {
    let go = (): void => undefined;
    counted.held = new Promise((resolve) => (go = resolve));
    const path = '/api/customers?sort=-region';
    const reads = counted.reads;
    const early = gateway.get(path, { token: analyst });
    await until(() => counted.reads > reads);
    const heard = gateway.get('/api/customers?limit=1', { token: analyst });
    await until(() => counted.reads > reads + 1);
    await gateway.sql(`INSERT INTO marts.customers VALUES (3, 'Edsger', 'EU')`);
    await gateway.announce('marts.customers');
    counted.held = undefined;
    go();
    await Promise.all([early, heard]);
    await until(async () => (await gateway.get(path, { token: analyst })).json.data.length === 3);
  });

  it('are apart for roles and for claims that rules use', async () => {
    const [eu, us] = [
      await gateway.token({ role: 'support', claims: { region: 'EU' } }),
      await gateway.token({ role: 'support', claims: { region: 'US' } }),
    ];
    for (let time = 0; time < 2; time += 1) {
      const rows = async (token: string): Promise<string[]> =>
        (await gateway.get('/api/customers', { token })).json.data.map(({ region, name }: Record<string, string>) => `${region} ${name}`);
      assert.deepEqual(await rows(eu), ['EU Ada', 'EU Edsger']);
      assert.deepEqual(await rows(us), ['US Grace']);
      assert.deepEqual(await rows(analyst), ['EU ***', 'US ***', 'EU ***']);
    }
  });

  it('of equal questions at the same time take one statement', async () => {
    let go = (): void => undefined;
    counted.held = new Promise((resolve) => (go = resolve));
    const reads = counted.reads;
    const all = Array.from({ length: 20 }, async () => await gateway.get('/api/direct/1', { token: analyst }));
    await until(async () => (await gateway.get('/metrics')).text.includes('callers_waiting 20'));
    counted.held = undefined;
    go();
    for (const { status } of await Promise.all(all)) assert.equal(status, 200);
    assert.equal(counted.reads, reads + 1);
  });

  it('of a moment in which commits could be missed are not kept as new', async () => {
    const path = '/api/customers?sort=-id&limit=1';
    assert.equal((await gateway.get(path, { token: analyst })).status, 200);
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    await gateway.sql(end);
    await gateway.sql(`INSERT INTO marts.customers VALUES (9, 'Tony', 'EU')`);
    await gateway.announce('marts.customers');
    const statuses = new Set<number>();
    await until(async () => {
      const { status, text } = await gateway.get(path, { token: analyst });
      statuses.add(status);
      return text.includes('"9"');
    });
    for (const status of statuses) assert.ok([200, 503].includes(status), `${status}`);
    await gateway.sql('DELETE FROM marts.customers WHERE id = 9');
    await gateway.announce('marts.customers');
  });

  it('have no part in an API without a cache', async () => {
    await gateway.sql(`UPDATE marts.customers SET name = 'Ada L.' WHERE id = 1`);
    assert.equal((await gateway.get('/api/direct/1', { token: analyst })).json.name, 'Ada L.');
  });

  it('show the mask of the role', async () => assert.equal(await nameOf(1, analyst), '***'));
});

describe('what too many ask', () => {
  it('is refused at once with 503 and when to come back, while others are served', async () => {
    const counted = new Counted();
    await using gateway = await open(counted, { gateway: { concurrency: 3 } });
    const token = await gateway.token({ role: 'analyst' });
    assert.equal((await gateway.get('/api/customers/2', { token })).status, 200);
    let go = (): void => undefined;
    counted.held = new Promise((resolve) => (go = resolve));
    const reads = counted.reads;
    const slow = [1, 2, 3].map(async (limit) => await gateway.get(`/api/direct?limit=${limit}`, { token }));
    await until(() => counted.reads === reads + 3);
    const refused = await gateway.get('/api/direct?limit=4', { token });
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
    assert.equal((await gateway.get('/api/customers/2', { token })).status, 200);
    assert.equal((await gateway.get('/readyz')).status, 200);
    go();
    for (const { status } of await Promise.all(slow)) assert.equal(status, 200);
    assert.match((await gateway.get('/metrics')).text, /refused_total\{reason="overloaded"\} 1/);
  });
});

describe('schemas that change', () => {
  it('are picked up after a commit: columns that come and go, and a dataset that is not there yet', async () => {
    await using gateway = await openTestGateway({
      tables,
      apis: { ...apis, later: { dataset: 'marts.later', key: 'id', roles: { analyst: { fields: 'all' } } } },
    });
    const token = await gateway.token({ role: 'analyst' });
    const row = async (): Promise<Record<string, unknown>> => (await gateway.get('/api/direct/1', { token })).json;
    assert.equal((await gateway.get('/api/later', { token })).status, 404);
    assert.deepEqual(await row(), { id: '1', name: 'Ada', region: 'EU' });
    await gateway.sql(`ALTER TABLE marts.customers ADD COLUMN plan text DEFAULT 'free'; CREATE TABLE marts.later (id int PRIMARY KEY)`);
    await gateway.announce('marts.customers');
    await until(async () => (await row())['plan'] === 'free');
    await gateway.sql('ALTER TABLE marts.customers DROP COLUMN region');
    // Without a word of it: the statement that fails has the dataset described again.
    const { status } = await gateway.get('/api/direct/1', { token });
    assert.ok(status === 200 || status === 503, `${status}`);
    await until(async () => (await gateway.get('/api/direct/1', { token })).status === 200);
    assert.deepEqual(await row(), { id: '1', name: 'Ada', plan: 'free' });
    await until(async () => (await gateway.get('/api/later', { token })).status === 200);
    assert.ok(gateway.log.some(({ message, fields }) => message === 'is published again' && fields['api'] === 'later'));
  });

  it('end an API whose masked column is gone, so that its new name is not shown', async () => {
    await using gateway = await openTestGateway({ tables, apis });
    const token = await gateway.token({ role: 'analyst' });
    assert.equal((await gateway.get('/api/customers/1', { token })).json.name, '***');
    await gateway.sql('ALTER TABLE marts.customers RENAME COLUMN name TO full_name');
    const seen: string[] = [];
    await until(async () => {
      const { status, text } = await gateway.get('/api/customers/1?fields=id,region,name', { token });
      seen.push(text);
      if (status === 200) await gateway.announce('marts.customers');
      return status === 404;
    });
    assert.doesNotMatch(seen.join(), /Ada/);
  });
});

describe('answers that gateways share', () => {
  let redis: RedisServer | undefined;

  before(async function () {
    redis = await startRedis();
    if (redis === undefined) {
      console.error('redis-server is not on this machine: what needs it is left out');
      this.skip();
    }
  });
  after(async () => await redis?.[Symbol.asyncDispose]());

  const shared = (database?: string): TestGatewaySettings => ({
    tables: database === undefined ? tables : '',
    ...(database === undefined ? {} : { database }),
    gateway: { redis: { url: '${env:REDIS_URL}' } },
    environment: { REDIS_URL: redis?.url ?? '' },
    define: (definition) => ({ ...definition, project: 'shared' }),
  });

  it('are read once for two gateways, and end for both with a commit', async () => {
    const [one, two] = [new Counted(), new Counted()];
    await using first = await open(one, shared());
    await using second = await open(two, shared(first.database));
    const token = await first.token({ role: 'analyst' });
    let path = '';
    let limit = 10;
    // Nobody waits for a Redis that isn't connected yet or slow: then both read.
    await until(async () => {
      path = `/api/customers?limit=${(limit += 1)}`;
      const [ofOne, ofTwo] = [one.reads, two.reads];
      const { text } = await first.get(path, { token });
      assert.equal((await second.get(path, { token })).text, text);
      assert.equal(one.reads, ofOne + 1);
      return two.reads === ofTwo;
    });
    await first.sql(`INSERT INTO marts.customers VALUES (4, 'Barbara', 'US')`);
    await first.announce('marts.customers');
    for (const gateway of [first, second]) {
      await until(async () => (await gateway.get(path, { token })).json.data.length === 3);
    }
  });

  it('are done without when Redis is slow, dies, and comes back, and no request fails', async () => {
    const counted = new Counted();
    await using gateway = await open(counted, shared());
    const token = await gateway.token({ role: 'analyst' });
    let asked = 0;
    const get = async (): Promise<number> => (await gateway.get(`/api/customers?limit=${(asked += 1)}`, { token })).status;
    assert.equal(await get(), 200);
    redis?.hold(true);
    assert.equal(await get(), 200);
    await redis?.kill();
    for (let time = 0; time < 5; time += 1) assert.equal(await get(), 200);
    await redis?.start();
    assert.equal(await get(), 200);
    // Once each time that it is lost, not for each request: what is slow may be found again in between.
    const told = gateway.log.filter(({ message }) => message.includes('are shared') || message.includes('shared answers'));
    assert.ok(told.length > 0);
    assert.deepEqual(
      told.map(({ level }) => level),
      told.map((_, no) => (no % 2 === 0 ? 'warn' : 'info')),
    );
  });
});
