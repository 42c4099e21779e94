import assert from 'node:assert/strict';
import { openWarehouse } from '../../connectors/postgres/warehouse/warehouse.ts';
import type { Warehouse } from '../../connectors/connector.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Load } from '../../schema/load.ts';
import { attempt, chunks, commitFiles, csv, deliver, loadFiles, makeLoad, manifestOf, type TestFile } from '../kits/loads.ts';
import { until, useWarehouse } from '../kits/postgres-warehouse.ts';

const file = csv([
  ['1', 'a', null],
  ['2', 'b', null],
]);

/** Bytes that come only once they are let go. */
function held(given: TestFile): { readonly bytes: AsyncIterable<Uint8Array>; readonly letGo: () => void } {
  let letGo = (): void => undefined;
  const open = new Promise<void>((resolve) => (letGo = resolve));
  const bytes = async function* (): AsyncIterable<Uint8Array> {
    yield given.bytes.subarray(0, 4);
    await open;
    yield given.bytes.subarray(4);
  };
  return { bytes: bytes(), letGo: () => letGo() };
}

const sessions = (name: string): string =>
  `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'millrace:${name}'`;

describe('PostgreSQL as warehouse: guards of the load protocol', () => {
  const under = useWarehouse();
  const prepare = async (load: Load) => await under.warehouse.prepare(load, attempt(`${load.id}:prepare:0`));
  const patient = async (): Promise<Warehouse> =>
    await openWarehouse({ type: 'postgres', url: under.url }, 'warehouse', { timeout: 20_000, attempts: 1 });

  it('load_files key: a file that two attempts load at the same time is there once', async () => {
    const load = makeLoad();
    const prepared = await prepare(load);
    const first = held(file);
    const zombie = under.warehouse.load(load, prepared, file.file, 0, first.bytes, attempt('zombie'));
    await until(under.client, `EXISTS (SELECT FROM pg_stat_progress_copy WHERE datname = current_database())`);
    const second = under.warehouse.load(load, prepared, file.file, 0, chunks(file.bytes), attempt('second'));
    await until(
      under.client,
      `EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'millrace:second' AND datname = current_database() AND wait_event_type = 'Lock')`,
    );
    first.letGo();
    assert.deepEqual(await zombie, { rows: 2, bytes: file.file.bytes });
    assert.deepEqual(await second, { rows: 2, bytes: file.file.bytes });
    assert.deepEqual(await under.rows(`SELECT count(*) FROM ${prepared.table}`), [['2']]);
  });

  it('an attempt ends the sessions of earlier attempts of its step', async () => {
    const load = makeLoad();
    const prepared = await prepare(load);
    const name = `${load.id}:load:0`;
    const zombie = under.warehouse.load(load, prepared, file.file, 0, held(file).bytes, attempt(name));
    const ended = assert.rejects(zombie, { code: 'unavailable' });
    await until(under.client, `EXISTS (SELECT FROM pg_stat_progress_copy WHERE datname = current_database())`);
    await under.warehouse.load(load, prepared, file.file, 0, chunks(file.bytes), attempt(name));
    await ended;
    assert.deepEqual(await under.rows(`SELECT count(*) FROM ${prepared.table}`), [['2']]);
    await until(under.client, `(${sessions(name)}) = 0`);
  });

  it('fence epoch: a load that another one replaced may neither load nor commit', async () => {
    const old = makeLoad();
    const prepared = await prepare(old);
    await loadFiles(under.warehouse, old, prepared, [file]);
    await prepare(makeLoad());
    await assert.rejects(commitFiles(under.warehouse, old, prepared, [file]), { code: 'fenced', message: /took over/ });
    await assert.rejects(loadFiles(under.warehouse, old, prepared, [file]), { code: 'fenced' });
    assert.equal((await under.state()).version, 0);
  });

  it('fence FOR SHARE: the next load waits for a commit under way and then sees its outcome', async () => {
    await deliver(under.warehouse, makeLoad(), [file]);
    const blocker = await under.session();
    await blocker.query('BEGIN; LOCK TABLE shop.orders IN EXCLUSIVE MODE');
    const load = makeLoad({ expectedVersion: 1 });
    const prepared = await prepare(load);
    await loadFiles(under.warehouse, load, prepared, [file]);
    const warehouse = await patient();
    const commit = commitFiles(warehouse, load, prepared, [file]);
    const waits = (name: string): string =>
      `EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'millrace:${name}' AND wait_event_type = 'Lock')`;
    await until(under.client, waits(`${load.id}:commit:0`));
    const later = makeLoad({ expectedVersion: 1 });
    const next = assert.rejects(warehouse.prepare(later, attempt('later')), { code: 'conflict' });
    await until(under.client, waits('later'));
    await blocker.query('COMMIT');
    assert.equal((await commit).version, 2);
    await next;
  });

  it('loads key: two attempts at the same commit deliver once and return the same', async () => {
    await deliver(under.warehouse, makeLoad({ definition: { mode: 'append', key: [] } }), [file]);
    const load = makeLoad({ expectedVersion: 1, definition: { mode: 'append', key: [] } });
    const prepared = await prepare(load);
    await loadFiles(under.warehouse, load, prepared, [file]);
    const blocker = await under.session();
    await blocker.query('BEGIN; LOCK TABLE shop.orders IN EXCLUSIVE MODE');
    const warehouse = await patient();
    const commits = ['one', 'two'].map(
      async (name) => await warehouse.commit(load, prepared, manifestOf([file]), chunks(Buffer.alloc(0)), attempt(name)),
    );
    await until(
      under.client,
      `SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() AND application_name IN ('millrace:one', 'millrace:two') AND wait_event_type = 'Lock'`,
    );
    await blocker.query('COMMIT');
    const [one, two] = await Promise.all(commits);
    assert.deepEqual(one, two);
    assert.deepEqual(await under.rows('SELECT count(*) FROM shop.orders'), [['4']]);
  });

  it('state: a commit whose expected version is past is a conflict', async () => {
    const load = makeLoad();
    const prepared = await prepare(load);
    await loadFiles(under.warehouse, load, prepared, [file]);
    await under.client.query('UPDATE _millrace.state SET version = version + 1');
    await assert.rejects(commitFiles(under.warehouse, load, prepared, [file]), { code: 'conflict' });
    await under.client.query('UPDATE _millrace.state SET version = 0');
    await commitFiles(under.warehouse, load, prepared, [file]);
  });

  it('generation: a load from before a full refresh is a conflict', async () => {
    const load = makeLoad();
    const prepared = await prepare(load);
    await loadFiles(under.warehouse, load, prepared, [file]);
    await under.client.query('UPDATE _millrace.state SET generation = generation + 1');
    await assert.rejects(commitFiles(under.warehouse, load, prepared, [file]), { code: 'conflict' });
  });

  it('files: a commit without one of its files is refused, an empty one too', async () => {
    const load = makeLoad();
    const prepared = await prepare(load);
    await loadFiles(under.warehouse, load, prepared, [file]);
    await assert.rejects(commitFiles(under.warehouse, load, prepared, [file, csv([])]), { code: 'staging-lost', message: /1 of 2 files/ });
    assert.equal((await under.state()).targetExists, false);
  });

  for (const [what, given] of [
    ['logged', { mode: 'replace' }],
    ['unlogged', { mode: 'merge' }],
  ] as const) {
    it(`rows: a ${what} table that lost rows is loaded again`, async () => {
      await deliver(under.warehouse, makeLoad({ definition: { mode: given.mode } }), [csv([])]);
      const load = makeLoad({ definition: { mode: given.mode }, expectedVersion: 1 });
      const prepared = await prepare(load);
      await loadFiles(under.warehouse, load, prepared, [file]);
      await under.client.query(`DELETE FROM ${prepared.table} WHERE id = 2`);
      await assert.rejects(commitFiles(under.warehouse, load, prepared, [file]), {
        code: 'staging-lost',
        message: /1 rows and 2 were loaded/,
      });
      await loadFiles(under.warehouse, load, prepared, [file]);
      assert.equal((await commitFiles(under.warehouse, load, prepared, [file])).loaded, 2);
    });
  }

  it('a crash of the server between load and commit empties table and list together, and the files are loaded again', async () => {
    await deliver(under.warehouse, makeLoad(), [csv([])]);
    const load = makeLoad({ expectedVersion: 1 });
    const prepared = await prepare(load);
    await loadFiles(under.warehouse, load, prepared, [file]);
    assert.deepEqual(
      await under.rows("SELECT relpersistence FROM pg_class WHERE oid IN ($1::regclass, '_millrace.load_files_unlogged'::regclass)", [
        prepared.table,
      ]),
      [['u'], ['u']],
    );
    assert.deepEqual(await under.rows('SELECT count(*) FROM _millrace.load_files_unlogged'), [['1']]);
    await under.client.query(`TRUNCATE ${prepared.table}, _millrace.load_files_unlogged`);
    await assert.rejects(commitFiles(under.warehouse, load, prepared, [file]), { code: 'staging-lost' });
    await loadFiles(under.warehouse, load, prepared, [file]);
    assert.equal((await commitFiles(under.warehouse, load, prepared, [file])).loaded, 2);
  });

  it('checksum: bytes that turn out damaged at their end leave nothing of the file', async () => {
    const load = makeLoad();
    const prepared = await prepare(load);
    const damaged = async function* (): AsyncIterable<Uint8Array> {
      yield file.bytes;
      throw new MillraceError('staging-lost', 'sha256 differs');
    };
    await assert.rejects(under.warehouse.load(load, prepared, file.file, 0, damaged(), attempt('load')), {
      code: 'staging-lost',
      message: 'sha256 differs',
    });
    assert.deepEqual(await under.rows(`SELECT (SELECT count(*) FROM ${prepared.table}), (SELECT count(*) FROM _millrace.load_files)`), [
      ['0', '0'],
    ]);
    await loadFiles(under.warehouse, load, prepared, [file]);
    assert.equal((await commitFiles(under.warehouse, load, prepared, [file])).loaded, 2);
  });

  it('a file with fewer bytes or rows than its reference is refused', async () => {
    const load = makeLoad();
    const prepared = await prepare(load);
    const short = under.warehouse.load(
      load,
      prepared,
      file.file,
      0,
      chunks(file.bytes.subarray(0, file.bytes.indexOf('\n') + 1)),
      attempt('load'),
    );
    await assert.rejects(short, { code: 'staging-lost', message: /bytes/ });
    const more = under.warehouse.load(load, prepared, { ...file.file, rows: 3 }, 0, chunks(file.bytes), attempt('load'));
    await assert.rejects(more, { code: 'staging-lost', message: /2 rows were found and 3/ });
    assert.deepEqual(await under.rows(`SELECT count(*) FROM ${prepared.table}`), [['0']]);
  });

  it('a lock that is not to be had is asked for again, and then the blocking session is named', async () => {
    await deliver(under.warehouse, makeLoad(), [file]);
    const blocker = await under.session();
    await blocker.query("SET application_name = 'a report'; BEGIN; LOCK TABLE shop.orders IN EXCLUSIVE MODE");
    const load = makeLoad({ expectedVersion: 1 });
    const prepared = await prepare(load);
    await loadFiles(under.warehouse, load, prepared, [file]);
    await assert.rejects(commitFiles(under.warehouse, load, prepared, [file]), {
      code: 'unavailable',
      message: /held by session \d+ \(a report, user postgres, since/,
    });
    await blocker.query('COMMIT');
    assert.equal((await commitFiles(under.warehouse, load, prepared, [file])).version, 2);
  });

  it('a long commit beats while its session is seen at work, and its abort cancels it in the server', async () => {
    await deliver(under.warehouse, makeLoad(), [file]);
    await under.client.query(
      `CREATE FUNCTION shop.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'`,
    );
    await under.client.query('CREATE TRIGGER slow AFTER INSERT ON shop.orders FOR EACH STATEMENT EXECUTE FUNCTION shop.wait()');
    const load = makeLoad({ expectedVersion: 1 });
    const prepared = await prepare(load);
    const changed = csv([['1', 'changed', null]]);
    await loadFiles(under.warehouse, load, prepared, [changed]);
    const abort = new AbortController();
    const reason = new Error('cancelled by a person');
    let beats = 0;
    const slow = under.warehouse.commit(
      load,
      prepared,
      manifestOf([changed]),
      chunks(Buffer.alloc(0)),
      attempt('slow', abort.signal, () => {
        beats += 1;
        if (beats === 3) abort.abort(reason);
      }),
    );
    await assert.rejects(slow, reason);
    assert.equal(beats, 3);
    await until(under.client, `(${sessions('slow')}) = 0`);
    assert.deepEqual(await under.rows('SELECT status FROM shop.orders WHERE id = 1'), [['a']]);
  });
});
