import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { openDatasets } from '../../connectors/postgres/datasets/datasets.ts';
import { openGatewayBooks } from '../../connectors/postgres/gateway-books/gateway-books.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase, postgresUrl } from '../servers.ts';
import { until } from '../workflows/until.ts';

const run = promisify(execFile);
const unique = `${process.pid}_${Date.now().toString(36)}`;
const names = [
  'millrace_source',
  'millrace_warehouse',
  'millrace_analyst',
  'millrace_gateway',
  'millrace_operator',
  'millrace_data_steward',
  'millrace_sync_reader',
  'app_owner',
];
const roleOf = (name: string): string => `${name}_${unique}`;

/** A script of the guide, with roles of this test's own: roles are shared by all databases of a server. */
async function script(file: string): Promise<string> {
  const text = await readFile(new URL(`../../docs/deploy/${file}`, import.meta.url), 'utf8');
  return names.reduce((rest, name) => rest.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), roleOf(name)), text);
}

function as(url: string, name: string): string {
  const changed = new URL(url);
  changed.username = roleOf(name);
  changed.password = 'change me';
  return changed.href;
}

async function refused(url: string, role: string, text: string): Promise<void> {
  await assert.rejects(
    sql(url, `SET ROLE ${roleOf(role)}; ${text}`),
    (error: unknown) => error instanceof pg.DatabaseError && (error.code === '42501' || error.code === '25006'),
    `${role}: ${text}`,
  );
}

describe('the deployment guide', function () {
  this.timeout(240_000);

  describe('roles', () => {
    let source: string;
    let warehouse: string;
    let project: TestProject;

    before(async () => {
      [source, warehouse, project] = await Promise.all([createDatabase('source'), createDatabase('warehouse'), openProject('roles')]);
      await sql(source, `CREATE ROLE ${roleOf('app_owner')}; GRANT CREATE ON SCHEMA public TO ${roleOf('app_owner')}`);
      await sql(
        source,
        `SET ROLE ${roleOf('app_owner')}; CREATE TABLE orders (id bigint PRIMARY KEY, note text, at timestamptz DEFAULT now());
         INSERT INTO orders (id, note) SELECT i, CASE WHEN i = 3 THEN 'no number' ELSE i::text END FROM generate_series(1, 100) i`,
      );
      await sql(source, await script('source-role.sql'));
      await sql(source, `SET ROLE ${roleOf('app_owner')}; CREATE TABLE later (id bigint PRIMARY KEY)`);
      await sql(new URL(warehouse).href, `DO $$ BEGIN EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()); END $$`);
      await sql(warehouse, await script('warehouse-role.sql'));
      await sql(warehouse, await script('analyst-role.sql'));
    });

    after(async () => {
      await project[Symbol.asyncDispose]();
      await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
      const there = await sql(await postgresUrl(), `SELECT rolname FROM pg_roles WHERE rolname LIKE '%\\_${unique}'`);
      for (const { rolname } of there) await sql(await postgresUrl(), `DROP ROLE ${rolname}`);
    });

    it('load every mode with no right more than the guide grants', async () => {
      for (const mode of ['replace', 'append', 'merge', 'history'] as const) {
        const pipeline = project.pipeline(`by-${mode}`, {
          from: as(source, 'millrace_source'),
          to: as(warehouse, 'millrace_warehouse'),
          schema: 'shop',
          streams: [
            {
              stream: 'orders',
              into: `orders_${mode}`,
              mode,
              ...(mode === 'replace' ? { transform: [{ cast: { note: 'bigint' } }] } : { key: ['id'] }),
              ...(mode === 'append' || mode === 'merge' ? { cursor: 'at' } : {}),
            },
            { stream: 'later', into: `later_${mode}` },
          ],
        });
        for (let time = 0; time < 2; time += 1) {
          const outcome = await project.run(pipeline);
          assert.ok(outcome.ok, `${mode}: ${JSON.stringify(outcome)}`);
        }
      }
    });

    it('let analysts read what is loaded, and neither write nor see the books', async () => {
      const analyst = (text: string) => sql(warehouse, `SET ROLE ${roleOf('millrace_analyst')}; ${text}`);
      for (const mode of ['replace', 'append', 'merge', 'history']) await analyst(`SELECT * FROM shop.orders_${mode}`);
      await refused(warehouse, 'millrace_analyst', 'SELECT * FROM _millrace.loads');
      await refused(warehouse, 'millrace_analyst', 'DELETE FROM shop.orders_merge');
    });

    it('let operators read the books, and only stewards the rejected rows', async () => {
      await sql(warehouse, await script('operator-role.sql'));
      await sql(warehouse, `SET ROLE ${roleOf('millrace_operator')}; SELECT * FROM _millrace.loads`);
      await refused(warehouse, 'millrace_operator', 'SELECT * FROM _millrace.rejections');
      await sql(warehouse, `SET ROLE ${roleOf('millrace_data_steward')}; SELECT * FROM _millrace.rejections`);
      assert.deepEqual(await sql(warehouse, 'SELECT DISTINCT rule FROM _millrace.rejections'), [{ rule: 'cast bigint' }]);
    });

    it('let readers of syncs see what was sent, by the views alone', async () => {
      await sql(warehouse, await script('sync-reader-role.sql'));
      for (const view of ['sync_runs', 'ledger', 'sync_open', 'sync_log'])
        await sql(warehouse, `SET ROLE ${roleOf('millrace_sync_reader')}; SELECT * FROM _millrace.${view}`);
      await refused(warehouse, 'millrace_sync_reader', 'SELECT * FROM _millrace.ledger_rows');
      await refused(warehouse, 'millrace_sync_reader', 'SELECT * FROM _millrace.rejections');
    });

    it('let the gateway read datasets as its role, hear of commits and write the audit log, and change nothing else', async () => {
      await sql(warehouse, await script('gateway-role.sql'));
      const settings = { type: 'postgres', url: as(warehouse, 'millrace_gateway') } as const;
      await using books = await openGatewayBooks(settings, 'warehouse');
      await books.check();
      assert.equal(await books.findToken('p', 'none'), undefined);
      const entry = { project: 'p', actor: 'test', action: 'request', target: 't', result: 'ok', details: {} };
      await books.audit([entry]);
      assert.equal(await books.verifyAudit('p'), 1);
      await books.retainAudit('p', 1);
      assert.deepEqual(await sql(settings.url, 'SHOW log_parameter_max_length'), [{ log_parameter_max_length: '0' }]);
      const before = await books.changesAfter('0', 1000);
      assert.ok(before.some(({ dataset }) => dataset === 'shop.orders_merge'));
      assert.equal(await books.forgottenChange(), '0');
      const heard: string[] = [];
      await using _ = await books.listen({ onChange: ({ dataset }) => heard.push(dataset), onLive: () => undefined });
      const loader = as(warehouse, 'millrace_warehouse');
      await sql(loader, `SELECT _millrace.announce('p', 'shop.heard', 'n', NULL, 1)`);
      await until(() => heard.includes('shop.heard'), 'a commit');
      await using datasets = await openDatasets(settings, 'warehouse', {
        role: roleOf('millrace_analyst'),
        connections: 1,
        timeout: 5000,
        exportTimeout: 5000,
      });
      assert.deepEqual(await datasets.check(), []);
      assert.ok((await datasets.describe({ kind: 'table', schema: 'shop', table: 'orders_merge' })).columns.length > 0);
      for (const statement of [
        'DELETE FROM _millrace.changes',
        `SELECT _millrace.announce('p', 'shop.forged', 'n', NULL, 1)`,
        `INSERT INTO _millrace.api_tokens (project, id, name, hash, scopes, claims) VALUES ('p', 'i', 'n', 'h', '{}', '{}')`,
        'UPDATE _millrace.api_tokens SET revoked_at = NULL',
        'SELECT * FROM _millrace.rejections',
        'SELECT * FROM _millrace.dead_letters',
      ])
        await refused(warehouse, 'millrace_gateway', statement);
      await assert.rejects(sql(settings.url, 'SELECT * FROM shop.orders_merge'), /permission denied/);
      await assert.rejects(sql(settings.url, 'DELETE FROM _millrace.audit'), /append-only|permission denied/);
    });

    it('keep the source as it is', async () => {
      await refused(source, 'millrace_source', 'DELETE FROM orders');
      const client = new pg.Client({ connectionString: as(source, 'millrace_source') });
      await client.connect();
      await assert.rejects(client.query('CREATE TABLE t ()'));
      await client.end();
      await refused(warehouse, 'millrace_warehouse', 'CREATE SCHEMA another');
    });
  });

  for (const name of ['millrace', 'millrace-gateway']) {
    it(`has a unit file of ${name} that systemd accepts`, async function () {
      try {
        await run('systemd-analyze', ['--version']);
      } catch {
        this.skip();
      }
      const folder = await mkdtemp(join(tmpdir(), 'millrace-unit-'));
      try {
        const unit = await readFile(new URL(`../../docs/deploy/${name}@.service`, import.meta.url), 'utf8');
        const path = join(folder, `${name}@acme.service`);
        await writeFile(path, unit.replace('/usr/bin/node', process.execPath));
        const { stderr } = await run('systemd-analyze', ['verify', path]);
        assert.doesNotMatch(stderr, /millrace/);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
});
