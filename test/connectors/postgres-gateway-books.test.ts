import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { AuditEntry, Change, ChangesListener, GatewayBooks, NewToken } from '../../connectors/gateway-books.ts';
import { openGatewayBooks } from '../../connectors/postgres/gateway-books/gateway-books.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from '../workflows/until.ts';

describe('books of the gateway', () => {
  let url: string;
  let books: GatewayBooks;
  let admin: pg.Client;

  before(async () => {
    url = await createDatabase('gateway_books');
    books = await openGatewayBooks({ type: 'postgres', url }, 'warehouse');
    await books.check();
    admin = await client();
  });

  after(async () => {
    await books[Symbol.asyncDispose]();
    await admin.end();
    await dropDatabase(url);
  });

  async function client(): Promise<pg.Client> {
    const made = new pg.Client({ connectionString: url });
    made.on('error', () => undefined);
    await made.connect();
    return made;
  }

  const newToken = (over: Partial<NewToken> = {}): NewToken => ({
    project: 'shop',
    id: randomUUID(),
    name: 'support tool',
    hash: 'ab'.repeat(32),
    role: 'support',
    scopes: ['api:customers', 'changes'],
    claims: { region: 'eu', level: 3 },
    expiresAt: new Date('2099-01-01T00:00:00.123Z'),
    ...over,
  });

  const entry = (over: Partial<AuditEntry> = {}): AuditEntry => ({
    project: 'shop',
    actor: 'token:a',
    action: 'api.export',
    target: 'customers',
    result: 'done',
    details: { rows: 3, format: 'csv' },
    ...over,
  });

  describe('tokens', () => {
    it('are found as they were made, in their own project only', async () => {
      const token = newToken();
      await books.createToken(token);
      const { createdAt, ...found } = (await books.findToken('shop', token.id)) ?? assert.fail('not found');
      assert.deepEqual(found, { ...token, revokedAt: undefined });
      assert.ok(Math.abs(createdAt.getTime() - Date.now()) < 60_000);
      assert.equal(await books.findToken('other', token.id), undefined);
      assert.ok((await books.listTokens('shop')).some(({ id }) => id === token.id));
      assert.deepEqual(await books.listTokens('other'), []);
    });

    it('may lack a role, claims and an end, and are made once when asked for twice', async () => {
      const token = newToken({ role: undefined, scopes: [], claims: {}, expiresAt: undefined });
      await books.createToken(token);
      await books.createToken({ ...token, name: 'another' });
      const found = (await books.findToken('shop', token.id)) ?? assert.fail('not found');
      assert.deepEqual(found, { ...token, revokedAt: undefined, createdAt: found.createdAt });
    });

    it('are revoked once, and not when they are expired or of another project', async () => {
      const live = newToken();
      const expired = newToken({ expiresAt: new Date('2001-01-01') });
      await books.createToken(live);
      await books.createToken(expired);
      assert.equal(await books.revokeToken('other', live.id), false);
      assert.equal(await books.revokeToken('shop', expired.id), false);
      assert.equal(await books.revokeToken('shop', live.id), true);
      assert.equal(await books.revokeToken('shop', live.id), false);
      assert.ok((await books.findToken('shop', live.id))?.revokedAt instanceof Date);
    });

    it('are looked up again over a new connection when the old one was cut', async () => {
      const token = newToken();
      await books.createToken(token);
      await admin.query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE application_name = 'millrace:books' AND datname = current_database()`,
      );
      assert.equal((await books.findToken('shop', token.id))?.id, token.id);
    });
  });

  describe('audit log', () => {
    it('keeps the chain under parallel writers', async () => {
      const others = await Promise.all(
        Array.from({ length: 3 }, async () => await openGatewayBooks({ type: 'postgres', url }, 'warehouse')),
      );
      const batch = (writer: number, no: number): readonly AuditEntry[] =>
        Array.from({ length: 1 + (no % 4) }, (_, place) => entry({ project: 'parallel', details: { writer, no, place } }));
      await Promise.all(
        others.flatMap((other, writer) => Array.from({ length: 10 }, async (_, no) => await other.audit(batch(writer, no)))),
      );
      assert.equal(await books.verifyAudit('parallel'), 3 * (1 + 2 + 3 + 4 + 1 + 2 + 3 + 4 + 1 + 2));
      const { rows } = await admin.query(`SELECT FROM _millrace.audit WHERE project = 'parallel' AND details ->> 'place' = '3'`);
      assert.equal(rows.length, 3 * 2);
      await Promise.all(others.map(async (other) => await other[Symbol.asyncDispose]()));
    });

    it('has a chain for each project, and the time that an entry gives', async () => {
      const at = new Date('2026-02-03T04:05:06.789Z');
      await books.audit([entry({ project: 'one', at }), entry({ project: 'two' }), entry({ project: 'one' })]);
      assert.equal(await books.verifyAudit('one'), 2);
      assert.equal(await books.verifyAudit('two'), 1);
      assert.equal(await books.verifyAudit('none'), 0);
      const { rows } = await admin.query<{ at: Date }>(`SELECT at FROM _millrace.audit WHERE project = 'one' AND no = 1`);
      assert.deepEqual(rows[0]?.at, at);
    });

    it('can not be changed, deleted or emptied, by its owner neither', async () => {
      await books.audit([entry()]);
      for (const sql of [
        `UPDATE _millrace.audit SET result = 'done'`,
        `DELETE FROM _millrace.audit`,
        `TRUNCATE _millrace.audit`,
        `TRUNCATE _millrace.audit CASCADE`,
      ]) {
        await assert.rejects(admin.query(sql), /append-only/, sql);
      }
    });

    const tampers: Readonly<Record<string, readonly [string, RegExp]>> = {
      'a changed value': [`UPDATE _millrace.audit SET details = '{"rows": 4}' WHERE project = $1 AND no = 2`, /entry 2 /],
      'a changed actor': [`UPDATE _millrace.audit SET actor = 'x' WHERE project = $1 AND no = 3`, /entry 3 /],
      'a changed time': [`UPDATE _millrace.audit SET at = at + interval '1 microsecond' WHERE project = $1 AND no = 1`, /entry 1 /],
      'a missing entry': [`DELETE FROM _millrace.audit WHERE project = $1 AND no = 2`, /entry 3 /],
      'a missing beginning': [`DELETE FROM _millrace.audit WHERE project = $1 AND no < 3`, /entry 3 /],
      'an entry put in its place': [
        `UPDATE _millrace.audit SET result = 'refused', hash = encode(sha256('x'), 'hex') WHERE project = $1 AND no = 2`,
        /entry 2 /,
      ],
      'two in each other’s place': [`UPDATE _millrace.audit SET no = CASE no WHEN 2 THEN 9 ELSE no END WHERE project = $1`, /entry 3 /],
    };
    for (const [name, [sql, message]] of Object.entries(tampers)) {
      it(`finds ${name}, made behind the trigger`, async () => {
        const project = `tampered ${name}`;
        await books.audit([1, 2, 3, 4].map((rows) => entry({ project, details: { rows } })));
        assert.equal(await books.verifyAudit(project), 4);
        await admin.query(`BEGIN; SET LOCAL session_replication_role = replica`);
        await admin.query(sql, [project]);
        await admin.query('COMMIT');
        await assert.rejects(books.verifyAudit(project), message);
      });
    }

    it('removes what is old; the chain is known to begin anew, and goes on', async () => {
      const project = 'retained';
      const old = new Date(Date.now() - 100_000);
      await books.audit([entry({ project, at: old }), entry({ project, at: old }), entry({ project }), entry({ project })]);
      await books.retainAudit(project, 1_000_000);
      assert.equal(await books.verifyAudit(project), 4);
      await books.retainAudit(project, 50_000);
      assert.equal(await books.verifyAudit(project), 3);
      await books.audit([entry({ project })]);
      await books.retainAudit(project, -1_000);
      assert.equal(await books.verifyAudit(project), 2);
      const { rows } = await admin.query<{ no: string; action: string }>(
        `SELECT no, action FROM _millrace.audit WHERE project = $1 ORDER BY no`,
        [project],
      );
      assert.deepEqual(rows, [
        { no: '6', action: 'api.export' },
        { no: '7', action: 'audit.retain' },
      ]);
    });
  });

  describe('changes', () => {
    const announce = async (by: pg.Client, name: string, rows = 1): Promise<void> => {
      await by.query(`SELECT _millrace.announce('shop', 'marts.customers', $1, $2, $3)`, [name, randomUUID(), rows]);
    };

    const collector = (): ChangesListener & { readonly changes: Change[]; readonly lives: boolean[] } => {
      const changes: Change[] = [];
      const lives: boolean[] = [];
      return { changes, lives, onChange: (change) => void changes.push(change), onLive: (live) => void lives.push(live) };
    };

    const endListeners = async (): Promise<void> => {
      const { rows } = await admin.query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE application_name = 'millrace:books' AND datname = current_database()`,
      );
      assert.ok(rows.length > 0);
    };

    it('are read with all that was announced, oldest first', async () => {
      const from = await books.latestChange();
      await announce(admin, 'customers', 2);
      await announce(admin, 'orders', 3);
      const changes = await books.changesAfter(from, 10);
      assert.deepEqual(
        changes.map(({ project, dataset, name, rows }) => [project, dataset, name, rows]),
        [
          ['shop', 'marts.customers', 'customers', 2],
          ['shop', 'marts.customers', 'orders', 3],
        ],
      );
      for (const { loadId, at } of changes) {
        assert.match(String(loadId), /^[0-9a-f-]{36}$/);
        assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      }
      assert.equal(await books.latestChange(), changes.at(-1)?.id);
      assert.deepEqual(await books.changesAfter(from, 1), changes.slice(0, 1));
    });

    it('a reader that follows by id misses none of many parallel transactions', async () => {
      const from = await books.latestChange();
      const writers = await Promise.all(Array.from({ length: 8 }, client));
      const each = 30;
      let writing = true;
      const written = Promise.all(
        writers.map(async (writer, no) => {
          for (let turn = 0; turn < each; turn++) {
            await writer.query('BEGIN');
            await announce(writer, `w${no}`);
            if (turn % 5 === 4) await writer.query('ROLLBACK');
            else await writer.query('COMMIT');
          }
        }),
      ).finally(() => (writing = false));
      const seen: Change[] = [];
      let last = from;
      for (let more = true; more;) {
        // What is committed while a page is read isn't in it.
        const wasWriting = writing;
        const page = await books.changesAfter(last, 7);
        seen.push(...page);
        last = page.at(-1)?.id ?? last;
        more = wasWriting || page.length > 0;
      }
      await written;
      const all = await books.changesAfter(from, 1000);
      assert.equal(all.length, 8 * 24);
      assert.deepEqual(seen, all);
      await Promise.all(writers.map(async (writer) => await writer.end()));
    });

    it('are given to a listener once each and in order, while its connection is ended again and again', async () => {
      const heard = collector();
      await using _listening = await books.listen(heard);
      assert.deepEqual(heard.lives, [true]);
      const from = await books.latestChange();
      for (let turn = 0; turn < 3; turn++) {
        await announce(admin, `before ${turn}`);
        await endListeners();
        await announce(admin, `missed ${turn}`);
        await announce(admin, `missed too ${turn}`);
        await until(
          () => heard.lives.filter((live) => live).length === turn + 2 && heard.changes.length === (turn + 1) * 3,
          'missed changes',
        );
      }
      assert.deepEqual(heard.changes, await books.changesAfter(from, 100));
      assert.deepEqual(heard.lives, [true, false, true, false, true, false, true]);
    });

    it('are live again only after those missed were given', async () => {
      const order: string[] = [];
      await using _listening = await books.listen({
        onChange: ({ name }) => void order.push(name),
        onLive: (live) => void order.push(live ? 'live' : 'lost'),
      });
      // Who comes back meanwhile can't read yet, so that none is live before the announcement.
      await admin.query('BEGIN');
      await admin.query('LOCK TABLE _millrace.changes IN ACCESS EXCLUSIVE MODE');
      await endListeners();
      await announce(admin, 'missed');
      await admin.query('COMMIT');
      await until(() => order.length === 4, 'way back');
      assert.deepEqual(order, ['live', 'lost', 'missed', 'live']);
    });

    it('are given from an id on, whenever the first connection comes', async () => {
      const from = await books.latestChange();
      for (const name of ['one', 'two']) await announce(admin, name);
      const heard = collector();
      await using _listening = await books.listen(heard, from);
      assert.deepEqual(
        heard.changes.map(({ name }) => name),
        ['one', 'two'],
      );
      assert.deepEqual(heard.lives, [true]);
    });

    it('a listener that is disposed hears nothing more, and its connection is closed', async () => {
      const sessions = async (): Promise<number> =>
        (await admin.query(`SELECT FROM pg_stat_activity WHERE application_name = 'millrace:books' AND datname = current_database()`)).rows
          .length;
      // The books' own; that of the listener before may still be ending.
      await books.latestChange();
      await until(async () => (await sessions()) === 1, 'end of other sessions');
      const heard = collector();
      const listening = await books.listen(heard);
      assert.equal(await sessions(), 2);
      await listening[Symbol.asyncDispose]();
      await announce(admin, 'late');
      assert.deepEqual(heard.changes, []);
      await until(async () => (await sessions()) === 1, 'end of its session');
    });

    it('listening comes back as not live when the database is away', async () => {
      const heard = collector();
      const away = await openGatewayBooks({ type: 'postgres', url: 'postgres://postgres@127.0.0.1:1/none' }, 'away');
      const listening = await away.listen(heard);
      assert.deepEqual(heard.lives, []);
      await listening[Symbol.asyncDispose]();
      await away[Symbol.asyncDispose]();
    });
  });
});
