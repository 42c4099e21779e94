import assert from 'node:assert/strict';
import { postgres } from '../../connectors/postgres/index.ts';
import type { Application, ApplicationRequest, OutgoingRow } from '../../connectors/application.ts';
import { openApplication } from '../../connectors/postgres/application/application.ts';
import { MillraceError } from '../../schema/errors.ts';
import { ExactNumber } from '../../schema/value.ts';
import { describeApplication } from '../kits/application.ts';
import { failureOf, outgoing } from '../kits/application-case.ts';
import { testAttempt } from '../kits/source.ts';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

const attempt = testAttempt();

interface Database extends AsyncDisposable {
  readonly url: string;
}

async function database(statements: string): Promise<Database> {
  const url = await createDatabase('postgres_application');
  await sql(url, statements);
  return { url, [Symbol.asyncDispose]: async () => await dropDatabase(url) };
}

const accounts = `CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, score integer, plan text DEFAULT 'free')`;

describeApplication<Database>({
  name: 'postgres',
  request: { object: 'public.accounts' },
  start: async () => await database(accounts),
  open: async ({ url }, { request, context, wrongCredential }) => {
    const wrong = new URL(url);
    wrong.username = 'nobody';
    const settings = { type: 'postgres' as const, url: wrongCredential ? wrong.href : url };
    assert.ok(postgres.openApplication);
    return await postgres.openApplication(settings, 'app', request, context);
  },
  secrets: [],
  operations: ['create', 'update', 'upsert', 'delete'],
  row: (no, version) => ({ match: { email: `${no}@example.com` }, fields: { score: no * 10 + version, plan: `p${version}` } }),
  seed: async ({ url }, rows) => {
    for (const { match, fields } of rows) {
      await sql(url, 'INSERT INTO accounts (email, score, plan) VALUES ($1, $2, $3)', [match['email'], fields['score'], fields['plan']]);
    }
  },
  stored: async ({ url }, { match }) => (await sql(url, 'SELECT score, plan FROM accounts WHERE email = $1', [match['email']]))[0],
  refused: {
    operation: 'upsert',
    row: (no) => ({ match: { email: `${no}@example.com` }, fields: { score: 'not a number', plan: 'x' } }),
  },
  createOfExisting: 'acknowledged',
  missing: { object: 'public.account', nearest: 'public.accounts' },
  described: ['id', 'email', 'score', 'plan'],
  capped: false,
});

describe('a PostgreSQL table as destination', function () {
  this.timeout(30_000);
  let url: string;
  const open = async (request: Partial<ApplicationRequest>, at = url): Promise<Application> =>
    await openApplication({ type: 'postgres', url: at }, 'app', {
      object: 'public.things',
      match: ['id'],
      fields: [],
      write: {},
      ...request,
    });
  const row = (no: number, match: OutgoingRow['match'], fields: OutgoingRow['fields']): OutgoingRow => outgoing(no, { match, fields });
  const message = async (work: Promise<unknown>, code: string): Promise<string> => {
    const failure = await failureOf(work, []);
    assert.equal(failure.code, code, failure.message);
    return failure.message;
  };

  before(async () => {
    url = await createDatabase('postgres_application');
    await sql(
      url,
      `CREATE TYPE mood AS ENUM ('good', 'bad');
       CREATE DOMAIN positive AS int CHECK (VALUE > 0);
       CREATE TABLE things (id text PRIMARY KEY, big bigint, exact numeric, at timestamptz, day date, doc jsonb, raw bytea, tags text[], mood mood,
         short varchar(3), amount positive, twice int GENERATED ALWAYS AS (2) STORED, kind text NOT NULL DEFAULT 'k');
       CREATE TABLE strict (id int PRIMARY KEY, must int NOT NULL, code text UNIQUE, CHECK (must < 100));
       CREATE TABLE loose (email text, score int);
       CREATE VIEW seen AS SELECT 1 AS id;`,
    );
  });
  after(async () => await dropDatabase(url));

  it('keeps every value as it was: 64-bit and exact numbers, microseconds, JSON, bytes, arrays, enums', async () => {
    await using application = await open({});
    const fields = {
      big: new ExactNumber('9007199254740993'),
      exact: new ExactNumber('0.10000000000000000001'),
      at: '2024-02-29T12:00:00.000001Z',
      day: '2024-02-29',
      doc: { a: [1, new ExactNumber('12345678901234567890'), null], b: '""' },
      raw: Buffer.from([0, 255, 92]).toString('base64'),
      tags: ['a,b', '"', null],
      mood: 'good',
      short: "o'k",
      amount: 1,
    };
    const rows = [row(1, { id: '\\N' }, fields), row(2, { id: '' }, Object.fromEntries(Object.keys(fields).map((name) => [name, null])))];
    for (const operation of ['upsert', 'update'] as const) {
      assert.deepEqual(await application.send({ operation, rows }, attempt), [{ status: 'acknowledged' }, { status: 'acknowledged' }]);
      const [stored, empty] = await sql(
        url,
        `SELECT big, exact, at AT TIME ZONE 'UTC' AS at, day, doc, encode(raw, 'hex') AS raw, tags, mood, short, amount FROM things ORDER BY id DESC`,
      );
      assert.deepEqual(stored, {
        big: '9007199254740993',
        exact: '0.10000000000000000001',
        at: '2024-02-29 12:00:00.000001',
        day: '2024-02-29',
        doc: '{"a": [1, 12345678901234567890, null], "b": "\\"\\""}',
        raw: '00ff5c',
        tags: '{"a,b","\\"",NULL}',
        mood: 'good',
        short: "o'k",
        amount: '1',
      });
      assert.ok(Object.values(empty ?? {}).every((value) => value === null));
    }
  });

  it('leaves a field alone that a row does not give, and gives a new row its default', async () => {
    await using application = await open({});
    const rows = [row(1, { id: 'sparse' }, { big: 1 }), row(2, { id: 'other' }, { mood: 'bad' })];
    await application.send({ operation: 'upsert', rows }, attempt);
    await application.send({ operation: 'upsert', rows: [row(1, { id: 'sparse' }, { mood: 'good' })] }, attempt);
    const stored = await sql(url, `SELECT id, big, mood, kind FROM things WHERE id IN ('sparse', 'other') ORDER BY id`);
    assert.deepEqual(stored, [
      { id: 'other', big: null, mood: 'bad', kind: 'k' },
      { id: 'sparse', big: '1', mood: 'good', kind: 'k' },
    ]);
  });

  it('lets nothing of a batch land when one of its rows is refused, and says why without the value', async () => {
    await using application = await open({});
    const rows = [row(1, { id: 'fine' }, { big: 1 }), row(2, { id: 'poison' }, { big: 'SECRET-VALUE' })];
    const reason = await message(application.send({ operation: 'upsert', rows }, attempt), 'rejected');
    assert.match(reason, /invalid input syntax for type bigint \(SQLSTATE 22P02\)/);
    assert.ok(!reason.includes('SECRET'));
    assert.deepEqual(await sql(url, `SELECT id FROM things WHERE id IN ('fine', 'poison')`), []);
    const alone = await message(application.send({ operation: 'upsert', rows: rows.slice(1) }, attempt), 'rejected');
    assert.equal(alone, 'field big: invalid input syntax for type bigint (SQLSTATE 22P02)');
  });

  it('names the constraint that a row breaks', async () => {
    await using application = await open({ object: 'strict' });
    const send = async (id: number, fields: OutgoingRow['fields']): Promise<string> =>
      await message(application.send({ operation: 'upsert', rows: [row(1, { id }, fields)] }, attempt), 'rejected');
    assert.match(await send(1, { must: null }), /"must".*not-null.*23502/);
    assert.match(await send(1, { must: 100 }), /strict_must_check/);
    await application.send({ operation: 'upsert', rows: [row(1, { id: 1 }, { must: 1, code: 'x' })] }, attempt);
    assert.match(await send(2, { must: 1, code: 'x' }), /strict_code_key/);
  });

  it('refuses an update of a row that is not there, and a delete of one is done', async () => {
    await using application = await open({});
    const rows = [row(7, { id: 'nowhere' }, { big: 1 })];
    assert.deepEqual(await application.send({ operation: 'update', rows }, attempt), [
      { status: 'rejected', reason: 'no row of the table has this match', code: 'not-found' },
    ]);
    assert.deepEqual(await application.send({ operation: 'delete', rows }, attempt), [{ status: 'acknowledged' }]);
  });

  it('asks for a unique index on the match columns and gives the statement that makes it', async () => {
    await using application = await open({ object: 'loose', match: ['email'], fields: ['score'] });
    const reason = await message(
      application.send({ operation: 'upsert', rows: [row(1, { email: 'a' }, { score: 1 })] }, attempt),
      'config',
    );
    const statement = /make it with: (.*)$/.exec(reason)?.[1];
    assert.equal(statement, 'CREATE UNIQUE INDEX ON "public"."loose" ("email")');
    assert.equal((await application.check(attempt)).problems.length, 1);
    await sql(url, statement);
    assert.deepEqual((await application.check(attempt)).problems, []);
    await application.send({ operation: 'upsert', rows: [row(1, { email: 'a' }, { score: 1 })] }, attempt);
  });

  it('never writes to its own books, to a view, or to a table that a pipeline loads', async () => {
    await sql(
      url,
      `CREATE SCHEMA IF NOT EXISTS _millrace; CREATE TABLE _millrace.tables (table_schema text, table_name text, pipeline text, stream text, PRIMARY KEY (table_schema));
       INSERT INTO _millrace.tables VALUES ('public', 'things', 'shop', 'orders')`,
    );
    const batch = { operation: 'upsert' as const, rows: [row(1, { id: 'x' }, {})] };
    for (const [object, match, sentence] of [
      ['_millrace.tables', 'table_schema', /belongs to the books of Millrace/],
      ['public.seen', 'id', /not a table/],
      ['public.things', 'id', /loaded by stream orders of pipeline shop/],
    ] as const) {
      await using application = await open({ object, match: [match] });
      assert.match(await message(application.send(batch, attempt), 'config'), sentence);
      assert.match((await application.check(attempt)).problems.join(), sentence);
    }
    await sql(url, 'DROP SCHEMA _millrace CASCADE');
  });

  it('describes types, required and read-only columns, unique ones, values of enums and lengths', async () => {
    await using application = await open({});
    const { fields, closed } = await application.describe(attempt);
    const field = (name: string) => fields.find((found) => found.name === name);
    assert.ok(closed);
    assert.deepEqual(field('mood'), {
      name: 'mood',
      type: 'enum',
      required: false,
      readOnly: false,
      unique: false,
      options: ['good', 'bad'],
    });
    assert.deepEqual(field('short'), { name: 'short', type: 'string', required: false, readOnly: false, unique: false, maxLength: 3 });
    assert.deepEqual(
      [field('id')?.required, field('id')?.unique, field('kind')?.required, field('twice')?.readOnly],
      [true, true, false, true],
    );
    assert.deepEqual(
      [field('amount')?.type, field('at')?.type, field('doc')?.type, field('raw')?.type],
      ['integer', 'datetime', 'json', 'any'],
    );
  });

  it('says which grants a sync lacks, and works with exactly those', async () => {
    const role = `syncer_${Date.now()}`;
    await sql(
      url,
      `CREATE ROLE ${role} LOGIN PASSWORD 'narrow'; CREATE SCHEMA IF NOT EXISTS narrow; CREATE TABLE narrow.t (id int PRIMARY KEY, a int, other int)`,
    );
    try {
      const own = new URL(url);
      own.username = role;
      own.password = 'narrow';
      const request = { object: 'narrow.t', match: ['id'], fields: ['a'], operations: ['upsert', 'delete'] } as const;
      await using application = await open(request, own.href);
      const { problems } = await application.check(attempt);
      const grants = problems.map((problem) => /GRANT .*$/.exec(problem)?.[0]);
      assert.deepEqual(
        grants.map((grant) => grant?.replace(role, 'r')),
        [
          'GRANT USAGE ON SCHEMA "narrow" TO "r"',
          'GRANT SELECT ("id", "a") ON "narrow"."t" TO "r"',
          'GRANT INSERT ("id", "a") ON "narrow"."t" TO "r"',
          'GRANT UPDATE ("a") ON "narrow"."t" TO "r"',
          'GRANT DELETE ON "narrow"."t" TO "r"',
        ],
      );
      for (const grant of grants) await sql(url, grant ?? '');
      assert.deepEqual((await application.check(attempt)).problems, []);
      const rows = [row(1, { id: 1 }, { a: 1 })];
      for (const operation of ['upsert', 'upsert', 'delete'] as const) {
        assert.deepEqual(await application.send({ operation, rows }, attempt), [{ status: 'acknowledged' }]);
      }
    } finally {
      await sql(url, `DROP SCHEMA narrow CASCADE; DROP ROLE ${role}`);
    }
  });

  it('gives up a batch within its time-out, so that none of it lands later', async () => {
    await using application = await open({});
    const { requestTimeout } = application.limits;
    await sql(
      url,
      `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         NEW.kind := pg_catalog.current_setting('statement_timeout') || ' ' || pg_catalog.current_setting('idle_in_transaction_session_timeout'); RETURN NEW; END $$;
       CREATE TRIGGER note BEFORE INSERT ON things FOR EACH ROW WHEN (NEW.id = 'timed') EXECUTE FUNCTION note()`,
    );
    await application.send({ operation: 'upsert', rows: [row(1, { id: 'timed' }, { big: 1 })] }, attempt);
    const [stored] = await sql(url, `SELECT kind FROM things WHERE id = 'timed'`);
    const seconds = stored?.['kind']?.split(' ').map((text) => Number(text.replace('s', '')) * 1000) ?? [];
    assert.ok(seconds.length === 2 && seconds[0]! + seconds[1]! <= requestTimeout, String(stored?.['kind']));
  });

  it('stops at once when its attempt is cancelled, with nothing written', async () => {
    await using application = await open({});
    const controller = new AbortController();
    await sql(
      url,
      `INSERT INTO things (id) VALUES ('held');
       CREATE OR REPLACE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(30); RETURN NEW; END $$;
       CREATE TRIGGER nap BEFORE UPDATE ON things FOR EACH ROW WHEN (NEW.id = 'held') EXECUTE FUNCTION nap()`,
    );
    const sending = application.send({ operation: 'update', rows: [row(1, { id: 'held' }, { big: 1 })] }, testAttempt(controller.signal));
    const sleeping = async (): Promise<boolean> =>
      (await sql(url, `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`)).length > 0;
    while (!(await sleeping())) await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort(new Error('cancelled'));
    await assert.rejects(sending, /cancelled/);
    while (await sleeping()) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(await sql(url, `SELECT big FROM things WHERE id = 'held'`), [{ big: null }]);
  });

  it('says unknown when only the answer to COMMIT is missing, for it may have had its effect', async () => {
    await sql(
      url,
      `CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()); RETURN NULL; END $$;
       CREATE TABLE fragile (id int PRIMARY KEY);
       CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON fragile DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION cut()`,
    );
    await using application = await open({ object: 'fragile' });
    const rows = (id: number): readonly OutgoingRow[] => [row(1, { id }, {})];
    await assert.rejects(
      application.send({ operation: 'upsert', rows: rows(1) }, attempt),
      (error: unknown) => error instanceof MillraceError && error.code === 'unknown',
    );
    assert.deepEqual(await application.send({ operation: 'upsert', rows: rows(2) }, attempt), [{ status: 'acknowledged' }]);
  });
});
