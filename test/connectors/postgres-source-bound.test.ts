import assert from 'node:assert/strict';
import { takeBound } from '../../connectors/postgres/cursor-bound.ts';
import type { Session } from '../../connectors/postgres/session.ts';
import { connect } from '../../connectors/postgres/session.ts';
import { openSource } from '../../connectors/postgres/source.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { SourceDatabase } from '../kits/postgres-source.ts';
import { readAll, sourceDatabase } from '../kits/postgres-source.ts';
import { testAttempt } from '../kits/source.ts';

async function failure(work: Promise<unknown>): Promise<MillraceError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof MillraceError, String(error));
  return error;
}

describe('where the bound of a PostgreSQL cursor cannot be known', () => {
  let database: SourceDatabase;
  let reader = '';

  before(async () => {
    database = await sourceDatabase('source_bound');
    reader = `reader_${new URL(database.url).pathname.slice(1)}`;
    await database.sql(`
      CREATE TABLE events (id integer PRIMARY KEY, n bigint, d date, ts timestamp, at timestamptz, t text);
      INSERT INTO events SELECT i, i, current_date, localtimestamp, now() - interval '1 minute', 'x' FROM generate_series(1, 10) i;
      CREATE TABLE keyless (n bigint);
      CREATE ROLE ${reader} LOGIN PASSWORD 'reads'; GRANT SELECT ON events TO ${reader}; GRANT SELECT (n) ON keyless TO ${reader}`);
  });

  after(async () => {
    await database.sql(`DROP OWNED BY ${reader}; DROP ROLE ${reader}`);
    await database[Symbol.asyncDispose]();
  });

  for (const [column, lookBack] of [
    ['n', '5'],
    ['d', '1 day'],
    ['ts', '1 hour'],
  ] as const) {
    it(`a cursor on ${column} requires look_back, and reads that far back`, async () => {
      const definition = { stream: 'events', mode: 'merge', cursor: column } as const;
      const error = await failure(readAll(database.source, definition));
      assert.equal(error.code, 'config');
      assert.match(error.message, /set look_back/);
      const first = await readAll(database.source, { ...definition, lookBack });
      const again = await readAll(database.source, { ...definition, lookBack }, { cursor: first.plan.nextCursor ?? undefined });
      assert.deepEqual([first.rows.length, again.rows.length], [10, column === 'n' ? 6 : 10]);
    });
  }

  it('look_back is in the unit of the cursor', async () => {
    for (const [cursor, lookBack] of [
      ['n', '2 hours'],
      ['ts', 'soon'],
      ['n', '-5'],
    ] as const) {
      const error = await failure(
        readAll(database.source, { stream: 'events', mode: 'merge', cursor, lookBack }, { cursor: '2026-01-01' }),
      );
      assert.equal(error.code, 'config');
      assert.match(error.message, /look_back/);
    }
  });

  it('append with look_back needs a key', async () => {
    const definition = { stream: 'keyless', mode: 'append', cursor: 'n', lookBack: '5' } as const;
    assert.match((await failure(readAll(database.source, definition))).message, /set key/);
    await readAll(database.source, { ...definition, key: ['n'] });
  });

  it('refuses a cursor on a column that is missing, naming the nearest, or has no order of time', async () => {
    assert.match(
      (await failure(readAll(database.source, { stream: 'events', mode: 'merge', cursor: 'att' }))).message,
      /nearest name is at/,
    );
    assert.match((await failure(readAll(database.source, { stream: 'events', mode: 'merge', cursor: 't' }))).message, /can't be a cursor/);
  });

  it('without pg_read_all_stats look_back is required, and check and the error give the GRANT', async () => {
    const url = new URL(database.url);
    url.username = reader;
    url.password = 'reads';
    await using source = await openSource({ type: 'postgres', url: url.href }, 'shop');
    const grant = `GRANT pg_read_all_stats TO "${reader}"`;
    const error = await failure(readAll(source, { stream: 'events', mode: 'merge', cursor: 'at' }));
    assert.ok(error.message.includes(grant), error.message);
    const report = await source.check(testAttempt());
    assert.ok(
      report.warnings.some((warning) => warning.includes(grant)),
      report.warnings.join('\n'),
    );
    assert.ok(report.warnings.some((warning) => warning.includes('public.keyless')));
    assert.equal((await readAll(source, { stream: 'events', mode: 'merge', cursor: 'at', lookBack: '1 hour' })).rows.length, 10);
    await database.sql(`GRANT pg_read_all_stats TO ${reader}`);
    assert.equal((await readAll(source, { stream: 'events', mode: 'merge', cursor: 'at' })).rows.length, 10);
  });

  it('a stream that may not be read says so with code auth', async () => {
    const url = new URL(database.url);
    url.username = reader;
    url.password = 'reads';
    await using source = await openSource({ type: 'postgres', url: url.href }, 'shop');
    await database.sql('CREATE TABLE private (id integer PRIMARY KEY)');
    assert.equal((await failure(readAll(source, { stream: 'private' }))).code, 'auth');
  });

  it('for a foreign table, whose transactions are in another server', async () => {
    const { host, port, pathname, username, password } = new URL(database.url);
    await database.sql(`CREATE EXTENSION postgres_fdw;
      CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '${host.split(':')[0] ?? ''}', port '${port}', dbname '${pathname.slice(1)}');
      CREATE USER MAPPING FOR CURRENT_USER SERVER away OPTIONS (user '${username}', password '${decodeURIComponent(password)}', password_required 'false');
      CREATE FOREIGN TABLE away (id integer, at timestamptz) SERVER away OPTIONS (table_name 'events')`);
    const definition = { stream: 'away', mode: 'merge' as const, cursor: 'at' };
    assert.match((await failure(readAll(database.source, definition))).message, /foreign table/);
    assert.equal((await readAll(database.source, { ...definition, lookBack: '1 hour' })).rows.length, 10);
  });

  const answered = (session: Session, answer: (text: string) => readonly object[] | undefined): Session => ({
    ...session,
    query: async <Row extends object>(text: string, values?: readonly unknown[]) =>
      (answer(text) as readonly Row[] | undefined) ?? session.query<Row>(text, values),
  });

  it('on a standby, where sessions are not tracked, or beside a prepared transaction', async () => {
    await using session = await connect({ type: 'postgres', url: database.url }, testAttempt());
    const facts = { user: 'me', readsActivity: true, standby: false, tracked: true };
    const cases = [
      [{ ...facts, standby: true }, [], /standby/],
      [{ ...facts, tracked: false }, [], /track_activities/],
      [facts, [{}], /prepared transactions/],
    ] as const;
    for (const [known, prepared, reason] of cases) {
      const bound = await takeBound(
        answered(session, (text) =>
          text.includes('pg_is_in_recovery') ? [known] : text.includes('pg_prepared_xacts') ? [...prepared] : undefined,
        ),
      );
      assert.equal(bound.known, false);
      assert.match(bound.known ? '' : `${bound.reason} ${bound.remedy ?? ''}`, reason);
    }
  });
});
