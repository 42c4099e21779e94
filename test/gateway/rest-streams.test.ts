import assert from 'node:assert/strict';
import { askAndLeave, openTestGateway, until, type TestGateway } from '../gateway-kit.ts';

const seen = { roles: { analyst: { fields: 'all' } } };

describe('streams over REST', () => {
  let gateway: TestGateway;
  let token: string;
  before(async () => {
    gateway = await openTestGateway({
      tables: `
        CREATE TABLE marts.wide AS SELECT n AS id, repeat(md5(n::text), 100) AS text FROM generate_series(1, 20000) n;
        ALTER TABLE marts.wide ADD PRIMARY KEY (id);
        CREATE VIEW marts.broken AS SELECT id, 100 / (id - 3000) AS share, text FROM marts.wide;
        CREATE VIEW marts.slow AS SELECT id FROM marts.wide CROSS JOIN LATERAL (SELECT pg_sleep(60 + id * 0)) AS wait;
        CREATE VIEW marts.refused AS SELECT id, 1 / (id - id) AS share FROM marts.wide;
        ANALYZE;`,
      apis: {
        wide: { dataset: 'marts.wide', key: 'id', ...seen },
        broken: { dataset: 'marts.broken', key: 'id', ...seen },
        slow: { dataset: 'marts.slow', key: 'id', ...seen },
        refused: { dataset: 'marts.refused', key: 'id', ...seen },
      },
    });
    token = await gateway.token({ role: 'analyst' });
  });
  after(async () => await gateway[Symbol.asyncDispose]());

  const open = async (path: string, signal: AbortSignal): Promise<Response> =>
    await fetch(`${gateway.address}${path}`, { headers: { authorization: `Bearer ${token}` }, signal });
  const sessions = async (table: string): Promise<number> =>
    (
      await gateway.sql(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE $1 AND state <> 'idle' AND pid <> pg_backend_pid()`,
        [`%"${table}"%`],
      )
    ).length;

  it('are in the access log with the bytes that they had, as are all answers', async () => {
    const bytesOf = async (path: string, method: string): Promise<readonly [sent: number, logged: unknown]> => {
      const { headers, text } = await gateway.get(path, { token, method });
      const isLine = ({ fields }: { readonly fields: Readonly<Record<string, unknown>> }): boolean =>
        fields['request'] === headers.get('x-request-id');
      await until(() => gateway.log.some(isLine));
      return [Buffer.byteLength(text), gateway.log.find(isLine)?.fields['bytes']];
    };
    for (const path of ['/api/wide?format=ndjson&limit=3000', '/api/wide?format=csv&limit=5', '/api/wide?limit=5', '/api/none', '/docs']) {
      const [sent, logged] = await bytesOf(path, 'GET');
      assert.ok(sent > 0, path);
      assert.equal(logged, sent, path);
    }
    assert.deepEqual(await bytesOf('/api/wide?limit=5', 'HEAD'), [0, 0]);
  });

  it('end the session of a client that goes away between rows', async () => {
    const gone = new AbortController();
    const answer = await open('/api/wide?format=ndjson', gone.signal);
    await answer.body?.getReader().read();
    await until(async () => (await sessions('wide')) === 1);
    gone.abort();
    await until(async () => (await sessions('wide')) === 0);
  });

  it('end the query of a client that goes away before the first row', async () => {
    const gone = new AbortController();
    const answer = open('/api/slow?format=csv', gone.signal).catch((error: unknown) => error);
    await until(async () => (await sessions('slow')) === 1);
    gone.abort();
    await until(async () => (await sessions('slow')) === 0);
    await answer;
  });

  it('give back what they took of a client that was gone before it was heard', async () => {
    // A token that isn't known yet has to be looked up, and meanwhile the client goes.
    for (let n = 0; n < 8; n++) {
      await askAndLeave(gateway.address, '/api/wide?format=csv', await gateway.token({ role: 'analyst' }));
    }
    await until(async () => (await gateway.get('/api/wide?format=csv&limit=1', { token })).status === 200);
    await until(async () => (await gateway.get('/metrics')).text.includes('millrace_gateway_exports_under_way 0'));
    await until(async () => (await sessions('wide')) === 0);
  });

  it('are cut when they fail on the way, so that a part is not taken for the whole', async () => {
    const answer = await open('/api/broken?format=ndjson', new AbortController().signal);
    assert.equal(answer.status, 200);
    await assert.rejects(answer.text());
  });

  it('that fail before the first row are answered as problems', async () => {
    const told = await gateway.get('/api/refused?format=csv', { token });
    assert.ok(told.status >= 400, told.text);
    assert.match(told.headers.get('content-type') ?? '', /problem\+json/);
    assert.equal(told.headers.get('content-disposition'), null);
  });
});
