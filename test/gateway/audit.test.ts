import assert from 'node:assert/strict';
import type { AuditEntry, GatewayBooks } from '../../connectors/gateway-books.ts';
import { openGatewayBooks } from '../../connectors/postgres/gateway-books/gateway-books.ts';
import { BookedAudit } from '../../gateway/access/audit-log.ts';
import { newToken } from '../../gateway/access/tokens.ts';
import type { GatewayLog } from '../../gateway/context.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from '../workflows/until.ts';
import { definitionOf, MemoryBooks, openServer, silent } from './access-kit.ts';

const entry = (no: number) => ({ actor: 'token:a', action: 'api.export', target: 'customers', result: 'done', details: { no } });
const refusal = (actor: string) => ({ actor, action: 'request', target: 'GET /api/:name', result: 'forbidden', details: {} });
const counts = (entries: readonly AuditEntry[]): readonly unknown[] => entries.map(({ actor, details }) => [actor, details['count']]);

describe('audit log of the gateway', () => {
  it('is written within a second or so, in order, with its project and time', async () => {
    const books = new MemoryBooks();
    await using audit = new BookedAudit(books, 'shop', silent);
    const since = performance.now();
    for (const no of [1, 2, 3]) audit.add(entry(no));
    assert.equal(books.entries.length, 0);
    await until(() => books.entries.length === 3, 'entries');
    assert.ok(performance.now() - since < 5_000);
    assert.deepEqual(
      books.entries.map(({ at, ...rest }) => [rest, at instanceof Date]),
      [1, 2, 3].map((no) => [{ ...entry(no), project: 'shop' }, true]),
    );
  });

  it('is written at once when a hundred wait, and at the end', async () => {
    const books = new MemoryBooks();
    const audit = new BookedAudit(books, 'shop', silent);
    for (let no = 0; no < 250; no++) audit.add(entry(no));
    await audit.flush();
    audit.add(entry(250));
    await audit[Symbol.asyncDispose]();
    assert.deepEqual(
      books.entries.map(({ details }) => details['no']),
      Array.from({ length: 251 }, (_, no) => no),
    );
  });

  it('waits while the books are away; beyond a bound entries are lost, and that is booked', async () => {
    const books = new MemoryBooks();
    const told: string[] = [];
    const log: GatewayLog = { ...silent, error: (_, message) => void told.push(message) };
    const audit = new BookedAudit(books, 'shop', log);
    books.isAway = true;
    for (let no = 0; no < 10_020; no++) audit.add(entry(no));
    await audit.flush();
    assert.ok(told.includes('the audit log can not be written'));
    assert.equal(books.entries.length, 0);
    books.isAway = false;
    await audit[Symbol.asyncDispose]();
    assert.equal(books.entries.length, 10_001);
    const last = books.entries.at(-1);
    assert.deepEqual([last?.action, last?.details], ['audit.lost', { entries: 20 }]);
  });

  it('refusals are counted by who and what within a second, so that nobody can fill it', async () => {
    const books = new MemoryBooks();
    await using audit = new BookedAudit(books, 'shop', silent);
    for (let no = 0; no < 1_000; no++) audit.refused(refusal('address:10.0.0.1'));
    audit.refused(refusal('token:b'));
    await audit.flush();
    assert.deepEqual(counts(books.entries), [
      ['address:10.0.0.1', 1_000],
      ['token:b', 1],
    ]);
  });

  it('refusals of very many are told as those of others', async () => {
    const books = new MemoryBooks();
    await using audit = new BookedAudit(books, 'shop', silent);
    for (let no = 0; no < 1_000; no++) audit.refused(refusal(`address:10.0.${no % 256}.${no >> 8}`));
    await audit.flush();
    assert.equal(books.entries.length, 51);
    assert.deepEqual(counts(books.entries).at(-1), ['others', 950]);
  });

  it('what is done often is counted, apart from what is refused', async () => {
    const books = new MemoryBooks();
    await using audit = new BookedAudit(books, 'shop', silent);
    for (let no = 0; no < 100; no++) {
      audit.refused(refusal(`address:10.0.0.${no}`));
      audit.count({ actor: 'token:a', action: 'ingest', target: 'clicks', result: 'accepted', details: {} });
    }
    await audit.flush();
    assert.deepEqual(counts(books.entries)[0], ['token:a', 100]);
  });

  it('is kept as long as the project file says', async () => {
    await using server = await openServer();
    assert.deepEqual(server.books.retained, [['shop', 365 * 86_400_000]]);
  });

  it('has every refusal of a server, by whom and at which route, without what was shown', async () => {
    const server = await openServer();
    const token = server.books.add({ scopes: ['changes'] });
    const id = token.split('_')[1];
    const bad = newToken().token;
    await server.ask('/api/secret-name?q=secret-value', token);
    await server.ask('/api/customers');
    await server.ask('/api/customers', bad);
    await server.ask('/ingest/clicks', token);
    await server.ask('/changes', token);
    await server.ask('/public');
    await server[Symbol.asyncDispose]();
    assert.deepEqual(
      server.books.entries.map(({ actor, target, result, details }) => [actor, target, result, details]),
      [
        [`token:${id}`, 'GET /api/:name', 'forbidden', { count: 1 }],
        ['address:127.0.0.1', 'GET /api/:name', 'unauthorized', { count: 2 }],
        [`token:${id}`, 'GET /ingest/:name', 'forbidden', { count: 1 }],
      ],
    );
    const text = JSON.stringify(server.books.entries);
    for (const secret of [token, bad, 'secret-']) assert.ok(!text.includes(secret));
  });

  describe('in a database', () => {
    let url: string;
    let books: GatewayBooks;
    before(async () => {
      url = await createDatabase('gateway_audit');
      books = await openGatewayBooks({ type: 'postgres', url }, 'warehouse');
      await books.check();
    });
    after(async () => {
      await books[Symbol.asyncDispose]();
      await dropDatabase(url);
    });

    it('two gateways of a project write one chain', async () => {
      const gateways = [new BookedAudit(books, 'shop', silent), new BookedAudit(books, 'shop', silent)];
      for (let no = 0; no < 150; no++) for (const audit of gateways) audit.add(entry(no));
      await Promise.all(gateways.map(async (audit) => await audit[Symbol.asyncDispose]()));
      assert.equal(await books.verifyAudit('shop'), 300);
    });

    it('a token that is revoked in the books is refused by a gateway within a second', async () => {
      await using server = await openServer({ definition: definitionOf(), books });
      const { token, id, hash } = newToken();
      const made = { project: 'shop', id, name: 'x', hash, role: 'support', scopes: ['api'], claims: {}, expiresAt: undefined };
      await books.createToken(made);
      assert.equal((await server.ask('/api/customers', token)).status, 200);
      assert.equal(await books.revokeToken('shop', id), true);
      const since = performance.now();
      let asked = since;
      await until(async () => {
        const begun = performance.now();
        const isRefused = (await server.ask('/api/customers', token)).status === 401;
        if (!isRefused) asked = begun;
        return isRefused;
      }, 'refusal');
      assert.ok(asked - since < 1_000, 'who asked later was let in');
    });
  });
});
