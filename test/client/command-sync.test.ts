import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, dropDatabase, temporalAddress } from '../servers.ts';
import { sql } from '../pipeline-kit.ts';
import { run, start, type Ended, type Place, type Started } from './command-kit.ts';

const project = (name: string, sync: string): string => `project: ${name}
connections:
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
  shop: { type: postgres, url: "\${env:SHOP_URL}" }
models:
  health: { sql: "SELECT email, plan, score FROM marts.customers", warehouse: warehouse, key: email }
syncs:
  plans:
    from: health
    to: shop.public.accounts
    max_rejected: 100%
${sync}
`;

const settings = '    map: [plan, score]';

describe('millrace, with a sync', function () {
  this.timeout(240_000);
  const name = `command-sync-${randomBytes(4).toString('hex')}`;
  let place: Place;
  let shop: string;
  let warehouse: string;
  let worker: Started;

  const write = (text: string): Promise<void> => writeFile(join(place.folder, 'millrace.yaml'), project(name, text));
  const accounts = () => sql(shop, 'SELECT email, plan, score FROM accounts ORDER BY email');
  const succeeded = ({ code, stdout, stderr }: Ended): string => {
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };

  before(async () => {
    [shop, warehouse] = await Promise.all([createDatabase('command_sync_shop'), createDatabase('command_sync_warehouse')]);
    await sql(shop, 'CREATE TABLE accounts (email text PRIMARY KEY, plan text, score int CHECK (score <= 100), since date)');
    await sql(
      warehouse,
      `CREATE SCHEMA marts; CREATE TABLE marts.customers (email text, plan text, score int);
       INSERT INTO marts.customers VALUES ('ada@example.org', 'team', 90), ('bo@example.org', 'free', 10), ('cy@example.org', 'team', 900), (NULL, 'team', 1)`,
    );
    const folder = await mkdtemp(join(tmpdir(), 'millrace-command-sync-'));
    const environment = { TEMPORAL_ADDRESS: await temporalAddress(), SHOP_URL: shop, WAREHOUSE_URL: warehouse, XDG_STATE_HOME: folder };
    place = { folder, environment };
    await write(settings);
    worker = start(place, ['worker']);
    await worker.until('Ctrl-C or SIGTERM drains it');
  });

  after(async () => {
    await writeFile(join(place.folder, 'millrace.yaml'), `project: ${name}\nconnections: {}\n`);
    await run(place, 'apply', '--prune');
    worker.child.kill('SIGTERM');
    await worker.ended;
    await Promise.all([dropDatabase(shop), dropDatabase(warehouse)]);
    await rm(place.folder, { recursive: true, force: true });
  });

  it('discover shows the fields of the object', async () => {
    const [known, unknown] = await Promise.all(['accounts', 'acounts'].map((table) => run(place, 'discover', `shop.public.${table}`)));
    assert.ok(known && unknown);
    const stdout = succeeded(known);
    assert.match(stdout, /email +string +.*unique/);
    assert.match(stdout, /score +integer/);
    assert.equal(unknown.code, 2, unknown.stdout);
    assert.match(unknown.stderr, /accounts/);
  });

  it('check asks the application for the fields that a sync writes', async () => {
    assert.match(succeeded(await run(place, 'check')), /ok +sync plans/);
    await write('    map: { plan: plann }');
    const { code, stdout } = await run(place, 'check');
    await write(settings);
    assert.equal(code, 1);
    assert.match(stdout, /failed +sync plans.*\n.*plann/);
  });

  it('check wants no more than SELECT of a warehouse when the books are elsewhere, and asks the syncs; alerts are not asked', async () => {
    const reader = `reader_${randomBytes(4).toString('hex')}`;
    const only = new URL(warehouse);
    only.username = reader;
    only.password = reader;
    await sql(
      warehouse,
      `CREATE ROLE ${reader} LOGIN PASSWORD '${reader}'; GRANT USAGE ON SCHEMA marts TO ${reader}; GRANT SELECT ON marts.customers TO ${reader}`,
    );
    const folder = await mkdtemp(join(tmpdir(), 'millrace-command-reader-'));
    const ops = '  ops: { type: webhook, url: "http://127.0.0.1:9/" }\n  spare: { type: webhook, url: "http://127.0.0.1:9/" }';
    const text = project(`${name}-reader`, `${settings}\n    state: { connection: books }\n    alerts: ops`).replace(
      'models:',
      `  books: { type: postgres, url: "\${env:BOOKS_URL}" }\n${ops}\nmodels:`,
    );
    await writeFile(join(folder, 'millrace.yaml'), text);
    try {
      const environment = { ...place.environment, BOOKS_URL: shop, WAREHOUSE_URL: only.href };
      const stdout = succeeded(await run({ folder, environment }, 'check'));
      assert.match(stdout, /ok +connection warehouse to read models: PostgreSQL/);
      assert.match(stdout, /ok +connection books as warehouse/);
      assert.match(stdout, /ok +sync plans/);
      assert.match(stdout, /not asked: ops \(alerts only\), spare \(not used\)/);
      const swapped = await run({ folder, environment: { ...environment, BOOKS_URL: only.href } }, 'check');
      assert.equal(swapped.code, 1);
      assert.match(swapped.stdout, /failed +connection books as warehouse.*\n.*_millrace can't be made/);
      assert.match(swapped.stdout, /ok +sync plans/);
    } finally {
      await rm(folder, { recursive: true, force: true });
      await sql(warehouse, `DROP OWNED BY ${reader}; DROP ROLE ${reader}`);
    }
  });

  it('preview says what would be sent, what is invalid and what it takes, and writes nothing', async () => {
    const [shown, asData] = await Promise.all([run(place, 'preview', 'plans', '--rows', '2'), run(place, 'preview', 'plans', '--json')]);
    const stdout = succeeded(shown);
    assert.match(stdout, /health → shop\.public\.accounts \(upsert\): 3 upsert/);
    assert.match(stdout, /4 rows in the model, 0 acknowledged before, 0 unchanged/);
    assert.match(stdout, /about 1 request/);
    assert.match(stdout, /invalid: 1 row: .*email/);
    assert.match(stdout, /ada@example\.org +upsert +ada@example\.org +team +90/);
    assert.match(stdout, /… 1 more/);
    assert.deepEqual(await accounts(), []);
    const { preview } = JSON.parse(succeeded(asData)) as { preview: { operations: unknown } };
    assert.deepEqual(preview.operations, { upsert: 3 });
  });

  it('run sends, and names the first rows that were refused with the reason', async () => {
    const stdout = succeeded(await run(place, 'run', 'plans'));
    assert.match(stdout, /plans succeeded: 2 rows acknowledged of 3 planned, 1 rejected, 1 invalid \(3 upsert\)/);
    assert.match(stdout, /cy@example\.org: rejected \(upsert\): .*check/);
    assert.match(stdout, /millrace rejections plans/);
    assert.deepEqual(await accounts(), [
      { email: 'ada@example.org', plan: 'team', score: '90' },
      { email: 'bo@example.org', plan: 'free', score: '10' },
    ]);
  });

  it('rejections lists the rows that wait, and explain says why', async () => {
    const [listed, ada, cy] = await Promise.all([
      run(place, 'rejections', 'plans'),
      run(place, 'explain', 'plans', 'ada@example.org'),
      run(place, 'explain', 'plans', 'cy@example.org'),
    ]);
    assert.match(succeeded(listed), /cy@example\.org: rejected \(upsert\)/);
    const taken = succeeded(ada);
    assert.match(taken, /acknowledged: \d{4}-/);
    assert.match(taken, /the next run: sends nothing/);
    const refused = succeeded(cy);
    assert.match(refused, /open: cy@example\.org: rejected/);
    assert.match(refused, /score +900/);
  });

  it('explain shows the next request, and sends nothing', async () => {
    await sql(warehouse, `INSERT INTO marts.customers VALUES ('di@example.org', 'free', 5)`);
    const [di, nobody] = await Promise.all(['di', 'nobody'].map((who) => run(place, 'explain', 'plans', `${who}@example.org`)));
    assert.ok(di && nobody);
    const stdout = succeeded(di);
    assert.match(stdout, /acknowledged: never/);
    assert.match(stdout, /the next run: upsert/);
    assert.match(stdout, /the request, secrets removed:\n +SQL public\.accounts[^]*di@example\.org/);
    assert.equal((await accounts()).length, 2);
    assert.match(succeeded(nobody), /the model: has no such row/);
  });

  it('retry takes the rejected rows up at once', async () => {
    await sql(shop, 'ALTER TABLE accounts DROP CONSTRAINT accounts_score_check');
    assert.match(succeeded(await run(place, 'retry', 'plans')), /plans succeeded: 2 rows acknowledged of 2 planned/);
    assert.match(succeeded(await run(place, 'rejections', 'plans')), /: invalid/);
    assert.equal((await accounts()).length, 4);
  });

  it('a changed mapping is asked about, and sent again only when somebody says so', async () => {
    await write('    map: [plan]');
    const asked = await run(place, 'run', 'plans');
    assert.equal(asked.code, 2, asked.stdout);
    assert.match(
      asked.stderr,
      /The mapping of plans has changed \(.*score.*\): up to 4 rows .* would be sent again\. There is no terminal to ask: say so with --yes/,
    );
    assert.match(succeeded(await run(place, 'run', 'plans', '--resend')), /4 rows acknowledged of 4 planned/);
    assert.match(succeeded(await run(place, 'run', 'plans')), /0 rows acknowledged of 0 planned/);
    assert.match(succeeded(await run(place, 'run', 'plans', '--full')), /4 rows acknowledged of 4 planned/);
  });

  it('apply makes a continuous schedule, which pause and resume hold and let go', async () => {
    await write('    map: [plan]\n    schedule: { continuous: true, min_interval: 1 hour }');
    assert.match(succeeded(await run(place, 'apply')), /plans: schedule created/);
    succeeded(await run(place, 'pause', 'plans', '--note', 'stocktaking'));
    assert.match(succeeded(await run(place, 'apply')), /plans: schedule unchanged/);
    const stdout = succeeded(await run(place, 'status'));
    assert.match(stdout, /plans +sync +succeeded/);
    assert.match(stdout, /plans: paused \(stocktaking\)/);
    succeeded(await run(place, 'resume', 'plans'));
    assert.match(succeeded(await run(place, 'status', 'plans')), /plans +succeeded .*4/);
  });

  it('refuses options that are of another kind of run', async () => {
    const ended = await Promise.all([
      run(place, 'run', 'plans', '--from', '1'),
      run(place, 'retry', 'plans', '--stream', 'x'),
      run(place, 'rejections', 'plans', '--all'),
      run(place, 'preview', 'health'),
      run(place, 'explain', 'plan', 'x'),
    ]);
    assert.deepEqual(
      ended.map(({ code }) => code),
      [2, 2, 2, 2, 2],
    );
    assert.match(ended[0]?.stderr ?? '', /plans is a sync: --from is for pipelines/);
    assert.match(ended[4]?.stderr ?? '', /has no sync "plan"\. Did you mean "plans"\?/);
  });
});
