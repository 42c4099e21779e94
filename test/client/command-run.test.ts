import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { connectTemporal } from '../../client/connection.ts';
import { createDatabase, dropDatabase, temporalAddress } from '../servers.ts';
import { hasTerminal, run, start, startInTerminal, type Place, type Started } from './command-kit.ts';

const ui = 'http://ui.example:8233';

/** The first project, with a database as second source and a schedule. */
function withShop(text: string): string {
  return text
    .replace('  # shop: {', '  shop: {')
    .replace('# schedule: every 15 minutes', 'schedule: { every: 30 days, jitter: 1s }')
    .replace(
      'models:',
      `  shop:
    from: shop
    to: warehouse.shop
    expect_every: 1 hour
    streams:
      orders: { mode: append, key: id, cursor: changed_at }
      slow: { mode: replace }
  broken:
    from: shop
    to: warehouse.broken
    streams:
      missing: { mode: replace }

models:`,
    );
}

/** Does something while no read of the view `slow` comes to its end, however long the machine takes for it. */
async function holding(url: string, work: () => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock(1)');
    await work();
  } finally {
    await client.end();
  }
}

/** Everything in a history that was bytes. */
function payloadTexts(value: unknown): readonly string[] {
  if (value instanceof Uint8Array) return [Buffer.from(value).toString()];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(payloadTexts) : [];
}

describe('millrace, with a project and servers', function () {
  this.timeout(240_000);
  const name = `command-${randomBytes(4).toString('hex')}`;
  let place: Place;
  let shop: string;
  let warehouse: string;

  async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  before(async () => {
    [shop, warehouse] = await Promise.all([createDatabase('command_shop'), createDatabase('command_warehouse')]);
    await query(
      shop,
      `CREATE TABLE orders (id int PRIMARY KEY, changed_at timestamptz); INSERT INTO orders SELECT n, now() - interval '1 hour' FROM generate_series(1, 100) n`,
    );
    await query(
      shop,
      `CREATE FUNCTION is_held() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
         WHILE NOT pg_try_advisory_xact_lock_shared(1) LOOP PERFORM pg_sleep(0.05); END LOOP; RETURN false; END $$`,
    );
    await query(shop, `CREATE VIEW slow AS SELECT n, pg_sleep(0.5) IS NULL AS slept FROM generate_series(1, 6) n, is_held()`);
    const folder = await mkdtemp(join(tmpdir(), 'millrace-command-'));
    const address = await temporalAddress();
    place = {
      folder,
      environment: { TEMPORAL_ADDRESS: address, TEMPORAL_UI_URL: ui, SHOP_URL: shop, WAREHOUSE_URL: warehouse, XDG_STATE_HOME: folder },
    };
    assert.equal((await run(place, 'init', '.', '--name', name)).code, 0);
    const path = join(folder, 'millrace.yaml');
    await writeFile(path, withShop(await readFile(path, 'utf8')));
  });

  after(async () => {
    await run(place, 'apply', '--prune', '--file', await emptyProject());
    await Promise.all([dropDatabase(shop), dropDatabase(warehouse)]);
    await rm(place.folder, { recursive: true, force: true });
  });

  async function emptyProject(): Promise<string> {
    const path = join(place.folder, 'empty.yaml');
    await writeFile(path, `project: ${name}\nconnections: {}\n`);
    return path;
  }

  it('discover lists streams with columns, types and keys', async () => {
    const { code, stdout, stderr } = await run(place, 'discover', 'shop', '--json');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /"name": "public\.orders"/);
    assert.match(stdout, /"key": \[\s+"id"\s+\]/);
  });

  it('preview shows rows and what would be rejected, and writes nothing', async () => {
    const { code, stdout, stderr } = await run(place, 'preview', 'films');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /9 rows read, 5 would be loaded, 3 rejected, 1 taken as duplicates/);
    assert.match(stdout, /Metropolis +1927-01-10 +Fritz Lang +5300000/);
    assert.match(stdout, /line 8, released: cast date: .*4 March 1922/);
    const schemas = await query(warehouse, `SELECT 1 FROM pg_namespace WHERE nspname IN ('films', '_millrace')`);
    assert.equal(schemas.length, 0);
  });

  it('refuses names and options that make no sense with exit code 2', async () => {
    const ended = await Promise.all([
      run(place, 'run', 'shp'),
      run(place, 'run', 'shop', '--full-refresh'),
      run(place, 'run', 'films_by_year', '--from', '1'),
      run(place, 'run', 'shop', '--full-refresh', '--from', '1'),
    ]);
    assert.deepEqual(
      ended.map(({ code }) => code),
      [2, 2, 2, 2],
    );
    assert.match(ended[0]?.stderr ?? '', /no pipeline, model or sync "shp"\. Did you mean "shop"\?/);
    assert.match(ended[1]?.stderr ?? '', /orders \(append\).*There is no terminal to ask: say so with --yes/);
    assert.match(ended[2]?.stderr ?? '', /is a model/);
    assert.match(ended[3]?.stderr ?? '', /give one of them/);
  });

  it('check asks every connection and pipeline on the worker, and fails with a sentence', async () => {
    const { code, stdout, stderr } = await run(place, 'check', '--json');
    assert.equal(code, 1, stderr);
    assert.match(stdout, /"name": "warehouse",\s+"role": "warehouse"/);
    assert.match(stdout, /"problems": \[\s+".*missing.*"/);
    assert.match(stderr, /No worker is up: this process is one until the end/);
  });

  it('check names a refused password and a missing variable, and shows neither password nor stack', async () => {
    const wrong = new URL(warehouse);
    wrong.username = 'nobody';
    wrong.password = 'hunter2hunter2';
    const { SHOP_URL: _, ...environment } = place.environment;
    const { code, stdout, stderr } = await run({ ...place, environment: { ...environment, WAREHOUSE_URL: wrong.href } }, 'check');
    assert.equal(code, 1);
    assert.match(stdout, /failed +connection shop as source.*\n.*SHOP_URL/);
    assert.match(stdout, /failed +connection warehouse as warehouse.*\n.*nobody/);
    assert.doesNotMatch(stdout + stderr, /hunter2| at .*\.ts:/);
  });

  it('run loads, tells plain lines without a terminal, and gives the page of the run', async () => {
    const { code, stdout, stderr } = await run(place, 'run', 'films');
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /films\*\.csv: loaded, 9 rows read/);
    assert.match(stdout, /films succeeded: 1 of 1 stream, 9 rows read, 5 loaded, 3 rejected/);
    assert.match(stdout, new RegExp(`${ui}/namespaces/default/workflows/${name}%2Ffilms/[0-9a-f-]+/history`));
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /\u001b/);
    assert.equal((await query(warehouse, 'SELECT * FROM films.films')).length, 5);
    assert.equal((await query(warehouse, 'SELECT * FROM films.by_year')).length, 3);
  });

  describe('while it is up', () => {
    let up: Started;

    before(async () => {
      up = start(place, ['up', '--no-apply']);
      await up.until('is up; Ctrl-C stops it');
    });

    after(() => {
      up.child.kill('SIGKILL');
    });

    it('run shows a live table in a terminal', async function () {
      if (!hasTerminal) this.skip();
      const { code, stdout } = await startInTerminal(place, ['run', 'shop']).ended;
      assert.equal(code, 0, stdout);
      // oxlint-disable-next-line no-control-regex
      assert.match(stdout, /\u001b\[/);
      assert.match(stdout, /public\.slow|slow/);
      assert.match(stdout, /shop succeeded: 2 of 2 streams, 106 rows read, 106 loaded/);
    });

    it('run --json writes JSON alone to standard output', async () => {
      const { code, stdout, stderr } = await run(place, 'run', 'films_by_year', '--json');
      assert.equal(code, 0, stderr);
      const result: unknown = JSON.parse(stdout);
      assert.ok(typeof result === 'object' && result !== null && 'ok' in result && 'page' in result);
      assert.equal(result.ok, true);
      assert.match(stderr, /started: http/);
    });

    it('a run that fails says why in a sentence and exits with 1', async () => {
      const { code, stdout, stderr } = await run(place, 'run', 'broken');
      assert.equal(code, 1);
      assert.match(stdout, /missing: not-found: /);
      assert.match(stdout, /broken failed: 0 of 1 stream/);
      assert.doesNotMatch(stdout + stderr, / at .*\.ts:/);
    });

    it('run --full-refresh asks in a terminal, and does nothing without a yes', async function () {
      if (!hasTerminal) this.skip();
      const asked = startInTerminal(place, ['run', 'shop', '--full-refresh']);
      await asked.until('[y/N]');
      asked.child.stdin?.write('n\n');
      const { code, stdout } = await asked.ended;
      assert.equal(code, 1);
      assert.doesNotMatch(stdout, /started:/);
    });

    it('rejections shows each row with its place, rule and reason', async () => {
      const { code, stdout, stderr } = await run(place, 'rejections', 'films');
      assert.equal(code, 0, stderr);
      assert.match(stdout, /films\.csv, line 8, column released: cast date: .*\n +\{"title":"Nosferatu"/);
      const limited = await run(place, 'rejections', 'films', '--limit', '1');
      assert.match(limited.stdout, /more than 1 rejection: --limit shows more/);
    });

    it('state shows cursors, sets one, and takes it away; status shows it', async () => {
      assert.match((await run(place, 'state', 'shop')).stdout, /orders +shop\.orders +\d{4}-\d\d-\d\d/);
      const set = await run(place, 'state', 'shop', '--set', 'orders=2001-02-03');
      assert.equal(set.code, 0, set.stderr);
      assert.match((await run(place, 'status', 'shop')).stdout, /orders +shop\.orders +2001-02-03/);
      const unknown = await run(place, 'state', 'shop', '--rename', 'nope=other');
      assert.equal(unknown.code, 2);
      assert.match(unknown.stderr, /nope/);
    });

    it('apply makes schedules, changes nothing the second time, and leaves a pause alone; status tells of a difference', async () => {
      assert.match((await run(place, 'apply', '--dry-run')).stdout, /films: schedule would be created/);
      assert.match((await run(place, 'status')).stdout, /films: the project file has a schedule that the server does not/);
      assert.match((await run(place, 'apply')).stdout, /films: schedule created/);
      assert.equal((await run(place, 'pause', 'films', '--note', 'stocktaking')).code, 0);
      const path = join(place.folder, 'millrace.yaml');
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace('every: 30 days', 'every: 31 days'));
      assert.match(
        (await run(place, 'status')).stdout,
        /films: the schedule on the server runs an older definition[^]*films: paused \(stocktaking\)/,
      );
      assert.match((await run(place, 'apply')).stdout, /films: schedule updated/);
      assert.match((await run(place, 'apply')).stdout, /films: schedule unchanged/);
      assert.match((await run(place, 'status', 'films')).stdout, /films: paused \(stocktaking\)/);
      assert.match((await run(place, 'resume', 'films')).stdout, /starts runs again, next 2/);
      assert.match((await run(place, 'trigger', 'films')).stdout, /its schedule starts a run now/);
      assert.equal((await run(place, 'pause', 'shop')).code, 2);
      const file = await emptyProject();
      assert.match((await run(place, 'apply', '--file', file)).stdout, /films: has a schedule .* --prune removes it/);
      assert.match((await run(place, 'apply', '--prune', '--file', file)).stdout, /films: schedule removed/);
    });

    it('status --fail-if-late fails for a pipeline without a success in time', async () => {
      const path = join(place.folder, 'millrace.yaml');
      const text = await readFile(path, 'utf8');
      assert.equal((await run(place, 'status', '--fail-if-late')).code, 0);
      await writeFile(path, text.replace('expect_every: 1 hour', 'expect_every: 1s'));
      const { code, stdout } = await run(place, 'status', '--fail-if-late');
      await writeFile(path, text);
      assert.equal(code, 1);
      assert.match(stdout, /shop is late: its last success was/);
    });

    it('up ends in order at Ctrl-C, and run then finds no worker', async () => {
      assert.doesNotMatch((await run(place, 'status')).stdout, /No worker is up/);
      up.child.kill('SIGINT');
      const { code, stderr } = await up.ended;
      assert.equal(code, 0, stderr);
      assert.match((await run(place, 'status')).stdout, /No worker is up/);
    });
  });

  describe('while nothing is up', () => {
    it('a run without a worker waits; another joins it, one with options is refused, cancel ends it, and SIGTERM drains the worker', async () => {
      const detached = await run(place, 'run', 'shop', '--detach');
      assert.equal(detached.code, 0, detached.stderr);
      assert.match(detached.stdout, /No worker is up: the run waits for one/);
      const refused = await run(place, 'run', 'shop', '--full-refresh', '--yes', '--detach');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /shop is running already .*millrace cancel shop/);
      await holding(shop, async () => {
        const joined = start(place, ['run', 'shop']);
        await joined.until('joined the run under way');
        await joined.until('slow: running');
        const cancelled = await run(place, 'cancel', 'shop');
        assert.equal(cancelled.code, 0, cancelled.stderr);
        assert.match(cancelled.stdout, /shop: cancelled; rows, cursor and books are as they were/);
        assert.equal((await joined.ended).code, 1);
      });
    });

    it('an interrupted run goes on with its worker, which SIGTERM drains', async () => {
      const worker = start(place, ['worker']);
      await worker.until('SIGTERM drains it');
      const followed = start(place, ['run', 'shop']);
      await followed.until('slow: running');
      followed.child.kill('SIGINT');
      const { code, stdout } = await followed.ended;
      assert.equal(code, 130);
      assert.match(stdout, /The run goes on; millrace status shop shows it/);
      const outcome = await run(place, 'run', 'shop');
      assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
      assert.doesNotMatch(outcome.stdout, /No worker is up/);
      worker.child.kill('SIGTERM');
      assert.equal((await worker.ended).code, 0);
      assert.match((await run(place, 'status')).stdout, /No worker is up/);
    });

    it('an interrupted run that is its own worker drains it and ends with 130, and goes on later', async () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        const followed = start(place, ['run', 'shop']);
        await followed.until('slow: running');
        followed.child.kill(signal);
        const { code, stdout, stderr } = await followed.ended;
        assert.equal(code, 130, stderr);
        assert.match(stdout, /Steps at work come to a safe end first/);
        assert.doesNotMatch(stderr, /Error/);
      }
      const outcome = await run(place, 'run', 'shop');
      assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
    });

    it('copy refuses at once a file that is not there, and a source without a connector', async () => {
      const copied = (from: string) => run(place, 'copy', '--from', from, '--to', warehouse, '--into', 'raw.films');
      const [file, files, database] = await Promise.all([
        copied('/nowhere.csv'),
        copied('/nowhere/*.csv'),
        copied('mysql://me:hunter2@h/d'),
      ]);
      assert.deepEqual([file.code, files.code, database.code], [2, 2, 2]);
      assert.match(file.stderr, /There is no file or folder \/nowhere\.csv/);
      assert.match(files.stderr, /There is no file or folder \/nowhere\//);
      assert.match(database.stderr, /There is no connector for mysql/);
      assert.doesNotMatch(database.stderr, /hunter2/);
    });

    it('copy loads a stream without a project file, again and again, and its password reaches no payload', async () => {
      const secret = new URL(warehouse);
      secret.username = `copier_${secret.pathname.slice(-12)}`;
      secret.password = 'hunter2hunter2';
      await query(warehouse, `CREATE ROLE ${secret.username} SUPERUSER LOGIN PASSWORD '${secret.password}'`);
      const args = ['copy', '--from', 'data/films.csv', '--to', secret.href, '--into', 'raw.films', '--json'];
      const [first, again] = [await run(place, ...args), await run(place, ...args)];
      assert.equal(first.code, 0, first.stderr);
      assert.equal(again.code, 0, again.stderr);
      assert.equal((await query(warehouse, 'SELECT * FROM raw.films')).length, 9);
      const result: unknown = JSON.parse(first.stdout);
      assert.ok(typeof result === 'object' && result !== null && 'workflowId' in result && typeof result.workflowId === 'string');
      await using temporal = await connectTemporal(await temporalAddress());
      for (const id of [result.workflowId, `${result.workflowId}/films.csv`]) {
        const texts = payloadTexts(await temporal.client.workflow.getHandle(id).fetchHistory());
        assert.ok(texts.some((text) => text.includes('MILLRACE_COPY_TO')));
        assert.ok(texts.every((text) => !text.includes('hunter2')));
      }
      await query(warehouse, `REASSIGN OWNED BY ${secret.username} TO CURRENT_USER`);
      await query(warehouse, `DROP ROLE ${secret.username}`);
    });
  });
});
