import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import type { Datasets } from '../../connectors/datasets.ts';
import { mostPrepared } from '../../connectors/postgres/datasets/prepared.ts';
import { MillraceError, type ErrorCode } from '../../schema/errors.ts';
import type { DatasetRead, Filter } from '../../schema/dataset.ts';
import { openPlace, type DatasetsPlace } from './datasets-kit.ts';
import { startRelay } from './relay.ts';

const coded =
  (code: ErrorCode, words: RegExp) =>
  (error: unknown): boolean =>
    error instanceof MillraceError && error.code === code && words.test(error.message);

const suffix = process.pid;
const [tenant, power, login] = [`ds_tenant_${suffix}`, `ds_power_${suffix}`, `ds_login_${suffix}`];

describe('sessions of datasets in PostgreSQL', () => {
  let place: DatasetsPlace;
  let read: DatasetRead;
  before(async () => {
    place =
      await openPlace(`CREATE ROLE ${tenant} NOLOGIN; CREATE ROLE ${power} NOLOGIN BYPASSRLS; CREATE ROLE ${login} LOGIN PASSWORD 'verysecret';
      GRANT ${tenant}, ${power} TO ${login};
      CREATE TABLE shared (id int PRIMARY KEY, owner text); INSERT INTO shared VALUES (1, '${tenant}'), (2, 'another');
      ALTER TABLE shared ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON shared USING (owner = current_user);
      CREATE TABLE closed (id int); INSERT INTO closed VALUES (1);
      GRANT SELECT ON shared TO ${tenant};
      CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.shared VALUES (9, NULL); RETURN 1; END'`);
    read = await place.read('shared');
  });
  after(async () => {
    await place.client.query(`DROP OWNED BY ${tenant}, ${power}, ${login}; DROP ROLE ${tenant}, ${power}, ${login}`);
    await place[Symbol.asyncDispose]();
  });

  const asLogin = (): string => {
    const url = new URL(place.url);
    url.username = login;
    url.password = 'verysecret';
    return url.href;
  };
  const sleeping = (seconds: number): DatasetRead => ({ ...read, rules: [{ parts: [`pg_sleep(${seconds}) IS NOT NULL`], values: [] }] });
  const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + 30_000; !(await condition()); await setTimeout(5)) assert.ok(Date.now() < end, 'waited for 30 s');
  };

  it('obey row-level security as the role that is given, and read nothing that it was not granted', async () => {
    const datasets = await place.open({ role: tenant }, asLogin());
    assert.deepEqual(JSON.parse(await datasets.read(read)), [{ id: 1, owner: tenant }]);
    assert.deepEqual(await datasets.check(), []);
    const closed = await place.read('closed');
    await assert.rejects(datasets.read(closed), coded('auth', /closed/));
    await assert.rejects(datasets.describe(closed.source), coded('auth', /closed/));
  });

  it('are refused for a role that policies do not hold for, and a role that is not there', async () => {
    const datasets = await place.open({ role: power }, asLogin());
    await assert.rejects(datasets.check(), coded('config', /bypass row-level security/));
    await assert.rejects(datasets.read(read), coded('config', /bypass row-level security/));
    const nobody = await place.open({ role: 'no"body' });
    await assert.rejects(nobody.check(), coded('config', /no"body/));
  });

  it('say that they could write where no role is given', async () => {
    const notes = await place.datasets.check();
    assert.match(notes.join(), /superuser.*gateway\.role/);
  });

  it('can not write, even by a function that does', async () => {
    const writing = { ...read, rules: [{ parts: ['writes() = 1'], values: [] }] };
    await assert.rejects(place.datasets.read(writing), coded('config', /read-only/));
    const { rows } = await place.client.query('SELECT FROM shared WHERE id = 9');
    assert.equal(rows.length, 0);
  });

  it('end a statement that takes too long, and go on', async () => {
    const datasets = await place.open({ timeout: 500, connections: 1 });
    await assert.rejects(datasets.read(sleeping(10)), coded('rejected', /longer than 500 ms/));
    assert.equal((JSON.parse(await datasets.read(read)) as unknown[]).length, 2);
  });

  it('are opened again after the server ended them, without a failed request', async () => {
    const datasets = await place.open({ connections: 3 });
    const all = async (): Promise<void> => void (await Promise.all([1, 2, 3, 4, 5].map(async () => await datasets.read(read))));
    for (let round = 0; round < 3; round++) {
      await all();
      await place.client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'millrace:read:gateway%' AND datname = current_database()`,
      );
      await all();
    }
  });

  it('are opened anew for who came after the attempt to open one began that fails', async () => {
    await using relay = await startRelay(place.url);
    const datasets = await place.open({ connections: 2 }, relay.url);
    const busy = datasets.read(sleeping(0.5));
    await until(() => relay.taken === 1);
    relay.hold();
    const first = datasets.read(read);
    await until(() => relay.held === 1);
    relay.cutHeld();
    await until(() => relay.held === 1);
    await Promise.all([busy, first]);
    // The only open session is ended while the second attempt to open another is still under way.
    await place.client.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'millrace:read:gateway%' AND datname = current_database()`,
    );
    const late = datasets.read(read);
    await until(() => datasets.waiting === 1);
    relay.goOn();
    relay.cutHeld();
    assert.equal((JSON.parse(await late) as unknown[]).length, 2);
  });

  it('fail all requests at once while there is no server, none of them waits for ever', async () => {
    const url = new URL(place.url);
    url.port = '1';
    const datasets = await place.open({ connections: 2 }, url.href);
    const results = await Promise.allSettled([1, 2, 3, 4, 5].map(async () => await datasets.read(read)));
    for (const result of results) assert.ok(result.status === 'rejected' && coded('unavailable', /ECONNREFUSED/)(result.reason));
    assert.equal(datasets.waiting, 0);
  });

  const filters = (count: number): readonly Filter[] =>
    [...Array(count).keys()].map(() => ({ kind: 'compare', column: 'id', op: 'gt', value: '0' }));
  const shapeOf = (datasets: Datasets, number: number): Promise<string> =>
    datasets.read({ ...read, limit: number + 1, filter: { kind: 'and', filters: filters(1) } });

  it('keep a bounded number of statements prepared, those that are used', async () => {
    const datasets = await place.open({ connections: 1 });
    for (let number = 0; number < mostPrepared + 20; number++) {
      await shapeOf(datasets, number);
      if (number % 50 === 0) await shapeOf(datasets, 0);
    }
    const sources = {
      kind: 'query' as const,
      sql: 'SELECT count(*)::int AS n, bool_or(statement LIKE $$%LIMIT 1)%$$) AS kept, sum(length(statement))::int AS characters FROM pg_prepared_statements',
    };
    const { columns } = await datasets.describe(sources);
    const prepared: DatasetRead = {
      ...read,
      source: sources,
      sort: [],
      columns: Object.fromEntries(columns.map((column) => [column.name, column])),
      fields: columns.map(({ name }) => ({ kind: 'column', as: name, column: name })),
    };
    const [found] = JSON.parse(await datasets.read(prepared)) as { n: number; kept: boolean }[];
    assert.ok(found !== undefined && found.n <= mostPrepared + 1, JSON.stringify(found));
    assert.equal(found.kept, true);
    const long: DatasetRead = { ...read, filter: { kind: 'or', filters: filters(1_000) } };
    for (let number = 0; number < 24; number++) await datasets.read({ ...long, limit: number + 1 });
    const [after] = JSON.parse(await datasets.read(prepared)) as { characters: number }[];
    assert.ok(after !== undefined && after.characters < 600_000, JSON.stringify(after));
    for (let number = 0; number < 5; number++)
      assert.equal((JSON.parse(await shapeOf(datasets, number)) as unknown[]).length, Math.min(2, number + 1));
  });

  it('are no more than were asked for, and closed at the end', async () => {
    const datasets = await place.open({ connections: 2 });
    const count = async (): Promise<number> => {
      const { rows } = await place.client.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'millrace:read:gateway%' AND datname = current_database()`,
      );
      return rows[0]?.n ?? 0;
    };
    const before = await count();
    const many = async (): Promise<void> => void (await Promise.all([...Array(20).keys()].map(async () => await datasets.read(read))));
    await many();
    // The first may have answered everything before the second was open.
    await until(async () => (await count()) - before === 2);
    await many();
    assert.equal((await count()) - before, 2);
    await datasets[Symbol.asyncDispose]();
    await until(async () => (await count()) === before);
    await assert.rejects(datasets.read(read), coded('unavailable', /closed/));
  });

  it('leave no timer behind where the driver sets one for each statement', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const datasets = await place.open({}, `${place.url}?query_timeout=60000`);
    await datasets.read(read);
    const before = timers();
    for (let no = 0; no < 50; no += 1) await datasets.read(read);
    assert.ok(timers() < before + 10);
  });

  it('take no password or value into messages', async () => {
    const url = new URL(asLogin());
    url.pathname = '/nowhere_at_all';
    const datasets = await place.open({}, url.href);
    await assert.rejects(datasets.check(), (error) => coded('not-found', /nowhere_at_all/)(error) && !/verysecret/.test(String(error)));
  });
});
