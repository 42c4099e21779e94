import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, realpath, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import {
  localStatus,
  removeLocal,
  startLocal,
  stopLocal,
  superviseLocal,
  type LocalOptions,
  type LocalServer,
} from '../../worker/local/index.ts';
import { findProcess, waitUntil } from '../../worker/local/processes.ts';
import { testEnvironment } from '../servers.ts';

describe('local servers', function () {
  this.timeout(180_000);
  let folder: string;
  let lines: string[];

  const options = (change: Partial<LocalOptions> = {}): LocalOptions => ({
    folder,
    project: 'acme',
    log: (line) => lines.push(line),
    need: { postgres: true, temporal: true },
    environment: testEnvironment(),
    ...change,
  });
  const onlyPostgres = { need: { postgres: true, temporal: false } };
  const onlyTemporal = { need: { postgres: false, temporal: true } };

  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'millrace-local-')));
  });
  beforeEach(() => {
    lines = [];
  });
  after(async () => {
    await removeLocal(folder);
    await rm(folder, { recursive: true });
  });

  async function query(url: string | undefined, sql: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async function withTemporal<T>(address: string | undefined, work: (client: Client) => Promise<T>): Promise<T> {
    const connection = await Connection.connect({ address: address ?? '' });
    try {
      return await work(new Client({ connection }));
    } finally {
      await connection.close();
    }
  }

  async function processOf(server: LocalServer): Promise<number> {
    return (JSON.parse(await readFile(join(folder, '.millrace', `${server}.json`), 'utf8')) as { process: { pid: number } }).process.pid;
  }

  async function killed(server: LocalServer): Promise<number> {
    const pid = await processOf(server);
    process.kill(pid, 'SIGKILL');
    assert.ok(await waitUntil(async () => (await findProcess(pid)) === undefined, 10));
    return pid;
  }

  it('start once, also when asked twice at the same time, and are found again', async () => {
    const [one, other] = await Promise.all([startLocal(options()), startLocal(options())]);
    assert.notEqual(one.postgres?.started, other.postgres?.started);
    assert.notEqual(one.temporal?.started, other.temporal?.started);
    assert.deepEqual([one.postgres?.url, one.temporal?.address], [other.postgres?.url, other.temporal?.address]);
    assert.deepEqual(await localStatus(folder, testEnvironment()), {
      postgres: { ...one.postgres, started: false },
      temporal: { ...one.temporal, started: false },
    });
  });

  it('give a database `warehouse` fit for the work, on loopback, behind a password of its own', async () => {
    const { postgres } = await startLocal(options(onlyPostgres));
    const names = [
      'server_encoding',
      'wal_level',
      'fsync',
      'data_checksums',
      'listen_addresses',
      'unix_socket_directories',
      'cluster_name',
    ];
    const [row] = await query(
      postgres?.url,
      `SELECT current_database(), ${names.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}`,
    );
    assert.deepEqual(row, {
      current_database: 'warehouse',
      server_encoding: 'UTF8',
      wal_level: 'logical',
      fsync: 'on',
      data_checksums: 'on',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      cluster_name: 'acme',
    });
    const wrong = new URL(postgres?.url ?? '');
    wrong.password = 'guess';
    await assert.rejects(query(wrong.href, 'SELECT 1'), /password authentication failed/);
    assert.equal((await stat(join(folder, '.millrace', 'postgres.password'))).mode & 0o077, 0);
  });

  it('serve the UI, and register the search attributes that runs carry', async () => {
    const { temporal } = await startLocal(options(onlyTemporal));
    assert.ok((await fetch(temporal?.uiUrl ?? '')).ok);
    const found = await withTemporal(temporal?.address, (client) =>
      client.connection.operatorService.listSearchAttributes({ namespace: 'default' }),
    );
    assert.deepEqual(
      Object.keys(found.customAttributes)
        .filter((name) => name.startsWith('Millrace'))
        .toSorted(),
      ['MillraceKind', 'MillraceName', 'MillraceProject'],
    );
  });

  it('keep rows through a kill -9 of PostgreSQL, and its port', async () => {
    const before = await startLocal(options(onlyPostgres));
    await query(before.postgres?.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const busy = query(before.postgres?.url, 'SELECT count(*) FROM generate_series(1, 1e12::bigint)').catch(() => []);
    assert.ok(
      await waitUntil(
        async () => (await query(before.postgres?.url, "SELECT FROM pg_stat_activity WHERE query LIKE '%1e12%'")).length > 1,
        10,
      ),
    );
    await killed('postgres');
    const after = await startLocal(options(onlyPostgres));
    await busy;
    assert.deepEqual(after.postgres, { ...before.postgres, started: true });
    assert.deepEqual(await query(after.postgres?.url, 'SELECT answer FROM kept'), [{ answer: 42 }]);
  });

  it('keep schedules through a kill -9 of Temporal, and its port', async () => {
    const before = await startLocal(options(onlyTemporal));
    await withTemporal(before.temporal?.address, (client) =>
      client.schedule.create({
        scheduleId: 'kept',
        spec: { intervals: [{ every: '1h' }] },
        action: { type: 'startWorkflow', workflowType: 'any', taskQueue: 'any' },
      }),
    );
    await killed('temporal');
    const after = await startLocal(options(onlyTemporal));
    assert.deepEqual(after.temporal, { ...before.temporal, started: true });
    const described = await withTemporal(after.temporal?.address, (client) => client.schedule.getHandle('kept').describe());
    assert.equal(described.scheduleId, 'kept');
  });

  it('are started again by the watch when they die, and left alone when they are stopped', async () => {
    await startLocal(options());
    const restarted: LocalServer[] = [];
    const watch = superviseLocal(options(), {
      signal: AbortSignal.timeout(60_000),
      onRestart: (server) => restarted.push(server),
      every: 50,
    });
    await killed('postgres');
    await killed('temporal');
    assert.ok(await waitUntil(async () => restarted.length === 2, 30));
    assert.deepEqual(restarted.toSorted(), ['postgres', 'temporal']);
    const pids = [await processOf('postgres'), await processOf('temporal')];
    assert.deepEqual(await stopLocal(folder), ['temporal', 'postgres']);
    assert.equal(await watch, 'stopped');
    for (const pid of pids) assert.equal(await findProcess(pid), undefined);
    assert.deepEqual(await localStatus(folder, testEnvironment()), {});
    assert.deepEqual(await stopLocal(folder), []);
  });

  it('take the ports of last time, or a free one where something else took it, and say so', async () => {
    const before = await startLocal(options());
    await stopLocal(folder);
    const same = await startLocal(options());
    assert.equal(same.postgres?.port, before.postgres?.port);
    assert.equal(same.temporal?.address, before.temporal?.address);
    await stopLocal(folder);
    const foreign = createServer().listen(before.postgres?.port, '127.0.0.1');
    await once(foreign, 'listening');
    lines = [];
    const moved = await startLocal(options(onlyPostgres));
    foreign.close();
    assert.notEqual(moved.postgres?.port, before.postgres?.port);
    assert.deepEqual(lines, [`port ${before.postgres?.port} is in use by something else; PostgreSQL takes ${moved.postgres?.port}`]);
  });

  it('outlive a kill -9 of the process that started them', async () => {
    await stopLocal(folder);
    const program = `
      import { startLocal } from ${JSON.stringify(new URL('../../worker/local/index.ts', import.meta.url).href)};
      await startLocal({ folder: ${JSON.stringify(folder)}, project: 'acme', log() {}, need: { postgres: true, temporal: true } });
      console.log('up');
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
      env: testEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(parent.stdout, 'data');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    const found = await startLocal(options());
    assert.equal(found.postgres?.started, false);
    assert.equal(found.temporal?.started, false);
  });

  it('begin anew, and end the servers of before, when the folder was deleted and cloned again', async () => {
    const before = await startLocal(options());
    await query(before.postgres?.url, 'CREATE TABLE left_over ()');
    const old = [await processOf('postgres'), await processOf('temporal')];
    await rm(join(folder, '.millrace'), { recursive: true });
    const fresh = await startLocal(options());
    assert.deepEqual([fresh.postgres?.started, fresh.temporal?.started], [true, true]);
    for (const pid of old) assert.equal(await findProcess(pid), undefined);
    assert.deepEqual(await query(fresh.postgres?.url, "SELECT to_regclass('left_over')"), [{ to_regclass: null }]);
    assert.match(lines.join('\n'), /ended a PostgreSQL that an earlier copy of this project had left running/);
  });
});
