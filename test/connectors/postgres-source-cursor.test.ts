import assert from 'node:assert/strict';
import fc from 'fast-check';
import { connect } from '../../connectors/postgres/session.ts';
import type { StreamDefinition } from '../../schema/definition.ts';
import type { SourceDatabase, TextRow } from '../kits/postgres-source.ts';
import { readAll, sourceDatabase } from '../kits/postgres-source.ts';
import { testAttempt } from '../kits/source.ts';

type Definition = Partial<StreamDefinition> & { readonly stream: string };

/** A target as the warehouse keeps one: appended rows, or the newest by key, and the cursor that the last commit stored. */
class Target {
  readonly database: SourceDatabase;
  readonly definition: Definition;
  rows: TextRow[] = [];
  cursor: string | undefined;
  notes: readonly string[] = [];

  constructor(database: SourceDatabase, definition: Definition) {
    this.database = database;
    this.definition = definition;
  }

  /** One run: plan, read, commit. The key is the first column. */
  async run(): Promise<readonly TextRow[]> {
    const { plan, rows } = await readAll(this.database.source, this.definition, { cursor: this.cursor, partitionBytes: 2_000 });
    const dropKnown = this.definition.mode !== 'append' || this.definition.lookBack !== undefined;
    const read = new Set(rows.map(([key]) => key));
    this.rows = [...(dropKnown ? this.rows.filter(([key]) => !read.has(key ?? null)) : this.rows), ...rows];
    this.cursor = plan.nextCursor ?? this.cursor;
    this.notes = plan.notes;
    return rows;
  }

  keys(): readonly number[] {
    return this.rows.map(([key]) => Number(key)).toSorted((a, b) => a - b);
  }
}

const merge: Definition = { stream: 'events', mode: 'merge', cursor: 'at' };
const append: Definition = { ...merge, mode: 'append' };
const second = "now() - interval '1 second'";

describe('the cursor protocol of PostgreSQL', () => {
  let database: SourceDatabase;

  before(async () => {
    database = await sourceDatabase('source_cursor');
  });

  after(async () => database[Symbol.asyncDispose]());

  beforeEach(async () => {
    await database.sql(
      'DROP TABLE IF EXISTS events CASCADE; CREATE TABLE events (id integer PRIMARY KEY, v text, at timestamptz DEFAULT clock_timestamp())',
    );
  });

  const insert = async (from: number, to: number, at: string): Promise<unknown> =>
    database.sql(`INSERT INTO events SELECT i, 'v', ${at} FROM generate_series(${from}, ${to}) i`);
  const all = async (): Promise<readonly number[]> => (await database.sql('SELECT id FROM events ORDER BY id')).map(({ id }) => Number(id));
  const untilPast = async (moment: string): Promise<void> => {
    while ((await database.sql(`SELECT WHERE ${second} > '${moment}'::timestamptz`)).length === 0);
  };

  describe('C1 ties', () => {
    it('merge reads rows of the same moment again, so that none is lost at the edge (airbyte #15427)', async () => {
      const target = new Target(database, merge);
      const other = await database.session();
      await other.query('BEGIN');
      const { rows } = await other.query<{ at: string }>('SELECT now()::text AS at');
      await insert(1, 5, `'${rows[0]?.at ?? ''}'`);
      await target.run();
      await other.query("INSERT INTO events SELECT i, 'v', now() FROM generate_series(6, 9) i; COMMIT");
      await target.run();
      assert.deepEqual(target.keys(), await all());
    });

    it('append reads each row once, however ties lie at the edges of runs', async () => {
      const target = new Target(database, append);
      for (let run = 0; run < 3; run += 1) {
        await insert(run * 10, run * 10 + 9, "date_trunc('milliseconds', now())");
        await target.run();
      }
      const read = await database.sql(`SELECT id FROM events WHERE at < '${target.cursor ?? ''}' ORDER BY id`);
      assert.deepEqual(
        target.keys(),
        read.map(({ id }) => Number(id)),
      );
      await untilPast((await database.sql('SELECT max(at) AS at FROM events'))[0]?.['at'] ?? '');
      await target.run();
      assert.deepEqual(target.keys(), await all());
    });

    it('holds for any layout of ties and runs over a number that never goes back', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 6 }), { minLength: 1, maxLength: 5 }),
          fc.constantFrom('merge' as const, 'append' as const),
          async (rounds, mode) => {
            await database.sql('DROP TABLE IF EXISTS versions; CREATE TABLE versions (id integer PRIMARY KEY, v bigint)');
            const target = new Target(database, { stream: 'versions', mode, cursor: 'v', lookBack: '0' });
            let [id, version] = [0, 9_007_199_254_740_993n];
            for (const round of rounds) {
              for (const rise of round) {
                version += BigInt(rise);
                await database.sql(`INSERT INTO versions VALUES (${(id += 1)}, ${version})`);
              }
              await target.run();
              assert.deepEqual(
                target.keys(),
                Array.from({ length: id }, (_, index) => index + 1),
              );
            }
          },
        ),
        { numRuns: 8 },
      );
    });
  });

  describe('C2 late commits', () => {
    for (const definition of [merge, append]) {
      it(`${definition.mode ?? ''} waits for a transaction that began before the read and commits after it (airbyte #80152)`, async () => {
        const target = new Target(database, definition);
        const slow = await database.session();
        await slow.query('BEGIN');
        await slow.query("INSERT INTO events VALUES (1, 'late', now())");
        await insert(2, 3, 'clock_timestamp()');
        await target.run();
        await slow.query('COMMIT');
        await untilPast((await database.sql('SELECT max(at) AS at FROM events'))[0]?.['at'] ?? '');
        await target.run();
        assert.deepEqual(target.keys(), await all());
      });
    }

    it('names the session that holds the bound back', async () => {
      const slow = await database.session();
      await slow.query('BEGIN');
      const { rows } = await slow.query<{ pid: string; at: string }>('SELECT pg_backend_pid() AS pid, now() AS at');
      const [{ pid, at } = { pid: '', at: '' }] = rows;
      await untilPast(at);
      const target = new Target(database, merge);
      await target.run();
      await slow.query('ROLLBACK');
      assert.equal(target.notes.length, 1);
      assert.ok(target.notes[0]?.includes(`session ${pid} ("the test")`), target.notes[0]);
      assert.ok((target.cursor ?? '') < at);
    });

    it("is held back by Millrace's own writing sessions, and not by its reading ones", async () => {
      const settings = { type: 'postgres' as const, url: database.url };
      await using reading = await connect(settings, testAttempt(), { readOnly: true });
      await reading.query('BEGIN');
      const [{ at } = { at: '' }] = await reading.query<{ at: string }>('SELECT now()::text AS at');
      await untilPast(at);
      const target = new Target(database, merge);
      await target.run();
      assert.ok((target.cursor ?? '') > at);
      await using writing = await connect(settings, testAttempt());
      await writing.query('BEGIN');
      const [{ from } = { from: '' }] = await writing.query<{ from: string }>('SELECT now()::text AS from');
      await untilPast(from);
      const other = new Target(database, merge);
      await other.run();
      assert.ok((other.cursor ?? '') < from);
    });

    it('never moves the stored cursor back', async () => {
      const target = new Target(database, merge);
      const slow = await database.session();
      await slow.query('BEGIN');
      await slow.query('SELECT 1');
      target.cursor = '2030-01-01 00:00:00+00';
      await target.run();
      await slow.query('ROLLBACK');
      assert.equal(target.cursor, '2030-01-01 00:00:00+00');
    });
  });

  it('C3 a failed attempt moves nothing: the next one reads the same (airbyte #12821)', async () => {
    await insert(1, 20, second);
    const target = new Target(database, merge);
    await readAll(database.source, merge, { cursor: target.cursor });
    await insert(21, 30, second);
    await target.run();
    assert.deepEqual(target.keys(), await all());
  });

  it('C4 keeps microseconds: sixty rows of one millisecond arrive one run after another (airbyte #10782)', async () => {
    const target = new Target(database, append);
    await database.sql(
      "INSERT INTO events SELECT i, 'v', '2026-01-01 00:00:00.123'::timestamptz + i * interval '1 microsecond' FROM generate_series(1, 60) i",
    );
    const { rows } = await readAll(database.source, append, {
      window: { from: '2026-01-01 00:00:00.123001+00', to: '2026-01-01 00:00:00.123031+00' },
    });
    assert.equal(rows.length, 30);
    assert.equal(rows[0]?.[2], '2026-01-01 00:00:00.123001+00');
    target.cursor = '2026-01-01 00:00:00.123031+00';
    assert.equal((await target.run()).length, 30);
    assert.match(target.cursor ?? '', /\.\d{4,6}\+00$/);
  });

  it('C5 a row that changes while it is read arrives once in each run, and the newest in the end (airbyte #21500)', async () => {
    await insert(1, 400, second);
    await database.sql('ANALYZE events');
    const updater = await database.session();
    let reading = true;
    const updating = (async () => {
      for (let i = 1; reading; i = (i % 400) + 1)
        await updater.query(`UPDATE events SET v = v || 'x', at = clock_timestamp() WHERE id = ${i}`);
    })();
    const target = new Target(database, merge);
    for (let run = 0; run < 4; run += 1) {
      const rows = await target.run();
      assert.equal(new Set(rows.map(([key]) => key)).size, rows.length);
    }
    reading = false;
    await updating;
    await target.run();
    const source = await database.sql('SELECT id, v FROM events ORDER BY id');
    const kept = target.rows.map(([id, v]) => ({ id, v })).toSorted((a, b) => Number(a.id) - Number(b.id));
    assert.deepEqual(kept, source);
  });

  describe('C6 odd values', () => {
    it('a value from the future does not blind later runs', async () => {
      const target = new Target(database, merge);
      await insert(1, 1, "'2099-01-01'");
      await insert(2, 2, "'infinity'");
      await target.run();
      await insert(3, 3, 'clock_timestamp()');
      await target.run();
      assert.deepEqual(target.keys(), [1, 2, 3]);
    });

    it('a value from the future does not blind a cursor that looks back either', async () => {
      await database.sql(
        `CREATE TABLE days (id integer PRIMARY KEY, d date); INSERT INTO days VALUES (1, current_date), (2, '2099-01-01'), (3, 'infinity')`,
      );
      const target = new Target(database, { stream: 'days', mode: 'merge', cursor: 'd', lookBack: '2 days' });
      await target.run();
      await database.sql('INSERT INTO days VALUES (4, current_date - 1), (5, current_date)');
      await target.run();
      assert.deepEqual(target.keys(), [1, 2, 3, 4, 5]);
    });

    it('rows without a value are included, left out or refused, as the policy says', async () => {
      await insert(1, 1, second);
      await insert(2, 2, 'NULL');
      const included = await readAll(database.source, { ...merge, nullCursor: 'include' });
      const excluded = await readAll(database.source, { ...merge, nullCursor: 'exclude' });
      assert.deepEqual([included.rows.length, excluded.rows.length], [2, 1]);
      await assert.rejects(readAll(database.source, { ...merge, nullCursor: 'fail' }), { code: 'schema' });
      await assert.rejects(readAll(database.source, { ...append, nullCursor: 'include' }), { code: 'config' });
      assert.equal((await readAll(database.source, { ...append, nullCursor: 'include', lookBack: '0 s' })).rows.length, 2);
    });

    it('a window rereads what it names and leaves the cursor', async () => {
      await insert(1, 3, "'2026-01-01'::timestamptz + i * interval '1 day'");
      const { plan, rows } = await readAll(database.source, merge, {
        cursor: '2026-06-01',
        window: { from: '2026-01-02', to: '2026-01-04' },
      });
      assert.deepEqual([plan.nextCursor, plan.complete, rows.length], [null, false, 2]);
      await assert.rejects(readAll(database.source, merge, { window: { from: 'yesterdayish' } }), { code: 'config' });
    });

    it('a stored cursor of another type is refused', async () => {
      await assert.rejects(readAll(database.source, { ...merge, lookBack: '1 hour' }, { cursor: '12345' }), { code: 'config' });
    });
  });
});
