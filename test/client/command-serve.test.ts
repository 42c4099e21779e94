import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from '../workflows/until.ts';
import { run, start, type Ended, type Place, type Started } from './command-kit.ts';

const project = (gateway: string): string => `project: serving
connections:
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
models:
  slow: { sql: "SELECT 1 AS id, pg_sleep(2)::text AS slept", warehouse: warehouse, key: id }
gateway: { ${gateway} }
apis:
  customers:
    dataset: marts.customers
    key: id
    roles:
      support: { fields: [id, name], rows: "region = \${claim:region}" }
      analyst: { fields: all }
  slow: { model: slow, roles: { analyst: { fields: all } } }
`;

const anyPort = 'listen: "127.0.0.1:0"';

describe('millrace serve', function () {
  this.timeout(240_000);
  let place: Place;
  let warehouse: string;
  let serving: Started;
  let address: string;

  const write = (gateway: string): Promise<void> => writeFile(join(place.folder, 'millrace.yaml'), project(gateway));
  const succeeded = ({ code, stdout, stderr }: Ended): string => {
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const get = (path: string, token?: string): Promise<Response> =>
    fetch(`${address}${path}`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
  const token = async (...args: readonly string[]): Promise<string> => succeeded(await run(place, 'token', 'create', ...args)).trim();

  before(async () => {
    warehouse = await createDatabase('command_serve');
    await sql(
      warehouse,
      `CREATE SCHEMA marts; CREATE TABLE marts.customers (id bigint PRIMARY KEY, name text, region text);
       INSERT INTO marts.customers VALUES (1, 'Ada', 'emea'), (2, 'Bo', 'apac')`,
    );
    place = { folder: await mkdtemp(join(tmpdir(), 'millrace-command-serve-')), environment: { WAREHOUSE_URL: warehouse } };
    await write(`${anyPort}, triggers: { refresh: { run: slow } }`);
    serving = start(place, ['serve']);
    await serving.until('/docs');
    address = /The gateway is at (\S+):/.exec(serving.written())?.[1] ?? '';
  });

  after(async () => {
    serving.child.kill('SIGKILL');
    await serving.ended;
    await dropDatabase(warehouse);
    await rm(place.folder, { recursive: true, force: true });
  });

  it('needs no Temporal server for APIs, and says what waits for one', async () => {
    assert.match(serving.written(), /No Temporal server is up for serving: .*\nUntil then triggers are refused\./);
    assert.equal((await get('/healthz')).status, 200);
    assert.equal((await get('/readyz')).status, 200);
    assert.equal((await get('/api/customers')).status, 401);
  });

  it('answers a token that a command made, by its role and claims, until a command revokes it', async () => {
    const made = await token('--role', 'support', '--claim', 'region=emea', '--name', 'desk');
    const answer = await get('/api/customers', made);
    assert.equal(answer.status, 200);
    const { data }: { data: unknown } = JSON.parse(await answer.text());
    assert.deepEqual(data, [{ id: '1', name: 'Ada' }]);
    succeeded(await run(place, 'token', 'revoke', 'desk'));
    await until(async () => (await get('/api/customers', made)).status === 401, 'the token is refused', 10);
  });

  it('has its documents by command too, for a role', async () => {
    const [openapi, schema, unclear] = await Promise.all([
      run(place, 'openapi', '--role', 'support'),
      run(place, 'graphql-schema', '--role', 'analyst'),
      run(place, 'openapi'),
    ]);
    assert.ok(openapi && schema && unclear);
    const document: { openapi: string; paths: object } = JSON.parse(succeeded(openapi));
    assert.equal(document.openapi, '3.1.0');
    assert.ok('/api/customers' in document.paths && !('/api/slow' in document.paths));
    assert.match(succeeded(schema), /type Customers[^}]*region: String/);
    assert.equal(unclear.code, 2);
    assert.match(unclear.stderr, /Give --role, as it sees less or more: support, analyst/);
  });

  it('names the port that is taken, the secret that is missing, the warehouse that is down', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-command-serve-'));
    try {
      const second = async (gateway: string): Promise<Ended> => {
        await writeFile(join(folder, 'millrace.yaml'), project(gateway));
        return await run({ ...place, folder }, 'serve');
      };
      const taken = await second(`listen: "${address.replace('http://', '')}"`);
      assert.equal(taken.code, 2, taken.stderr);
      assert.match(taken.stderr, /can not listen on 127\.0\.0\.1:\d+: another program has the port/);
      const missing = await second(`${anyPort}, mask_key: "\${env:NO_SUCH_KEY}"`);
      assert.equal(missing.code, 1, missing.stderr);
      assert.match(missing.stderr, /gateway: mask_key needs the variable NO_SUCH_KEY, which is not set in the gateway on/);
      await writeFile(join(folder, 'millrace.yaml'), project(anyPort));
      const down = await run({ folder, environment: {} }, 'serve');
      assert.equal(down.code, 1);
      assert.match(down.stderr, /No warehouse is up for serving: start the local one with millrace up, or set WAREHOUSE_URL/);
      await writeFile(join(folder, 'millrace.yaml'), 'project: none\nconnections: {}\n');
      const none = await run({ ...place, folder }, 'serve');
      assert.equal(none.code, 2);
      assert.match(none.stderr, /The project none has no gateway: .* Add an API under "apis"/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('drains on SIGTERM: a request under way is answered, and nothing listens after that', async () => {
    const analyst = await token('--role', 'analyst');
    const slow = get('/api/slow', analyst);
    await until(
      async () =>
        (
          await sql(
            warehouse,
            `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(2)%' AND pid <> pg_backend_pid()`,
          )
        ).length > 0,
      'the request is under way',
    );
    serving.child.kill('SIGTERM');
    const answer = await slow;
    assert.equal(answer.status, 200, await answer.clone().text());
    const { code, stdout, stderr } = await serving.ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout, /stopping: requests under way come to their end first/);
    await assert.rejects(get('/healthz'));
    assert.doesNotMatch(stdout + stderr, new RegExp(analyst.slice(-20)));
  });
});
