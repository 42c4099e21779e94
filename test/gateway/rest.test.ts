import assert from 'node:assert/strict';
import type { TestGateway } from '../gateway-kit.ts';
import { customer, openRestGateway } from './rest-kit.ts';

describe('REST', () => {
  let gateway: TestGateway;
  let analyst: string;
  let european: string;
  before(async () => {
    gateway = await openRestGateway();
    analyst = await gateway.token({ role: 'analyst' });
    european = await gateway.token({ role: 'support', claims: { region: 'eu' } });
  });
  after(async () => await gateway[Symbol.asyncDispose]());

  const ids = async (query: string): Promise<string[]> => {
    const told = await gateway.get(`/api/customers?fields=customer_id&limit=50&${query}`, { token: analyst });
    assert.equal(told.status, 200, told.text);
    return told.json.data.map((row: { customer_id: string }) => row.customer_id);
  };
  const oracle = async (condition: string, values: readonly unknown[]): Promise<unknown[]> =>
    (await gateway.sql(`SELECT customer_id::text AS id FROM marts.customers WHERE ${condition} ORDER BY customer_id`, values)).map(
      ({ id }) => id,
    );

  describe('filters', () => {
    const samples: Readonly<Record<string, readonly [type: string, value: string]>> = {
      customer_id: ['bigint', customer(7)],
      name: ['text', 'Customer 12'],
      plan: ['text', 'pro'],
      seats: ['integer', '20'],
      level: ['smallint', '3'],
      balance: ['numeric', '20.0123456789'],
      score: ['double precision', '2.5'],
      ratio: ['real', '2.5'],
      born: ['date', '2024-03-08'],
      wakes: ['time', '08:20:00'],
      seen: ['timestamp', '2024-03-02T06:00:00.000001'],
      joined: ['timestamptz', '2024-03-21T12:00:00.000001+02:00'],
      limit: ['integer', '3'],
      'odd,name': ['text', 'odd 9'],
    };
    const operators: Readonly<Record<string, string>> = { eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=', ne: 'IS DISTINCT FROM' };
    for (const [column, [type, value]] of Object.entries(samples))
      it(`of ${column} (${type}) compare as SQL does`, async () => {
        for (const [op, sql] of Object.entries(operators)) {
          const got = await ids(`${encodeURIComponent(`${column}[${op}]`)}=${encodeURIComponent(value)}`);
          assert.deepEqual(got, await oracle(`"${column}" ${sql} $1::text::${type}`, [value]), op);
        }
        const name = encodeURIComponent(column);
        assert.deepEqual(await ids(`${name}[in]=${encodeURIComponent(value)}`), await oracle(`"${column}" = $1::text::${type}`, [value]));
        assert.deepEqual(
          await ids(`${name}[not_in]=${encodeURIComponent(value)}`),
          await oracle(`"${column}" IS DISTINCT FROM $1::text::${type}`, [value]),
        );
        assert.deepEqual(await ids(`${name}[null]=true`), await oracle(`"${column}" IS NULL`, []));
      });

    it('of other types compare what is equal and what is NULL', async () => {
      assert.deepEqual(await ids('ref=00000000-0000-4000-8000-000000000007'), [customer(7)]);
      assert.deepEqual(await ids('active=false'), await oracle('NOT active', []));
      assert.deepEqual(await ids('active[null]=true'), await oracle('active IS NULL', []));
      assert.deepEqual(await ids('mood=busy'), await oracle(`mood = 'busy'`, []));
      assert.deepEqual(await ids('host=10.0.0.9'), [customer(9)]);
      for (const column of ['details', 'tags', 'photo']) assert.equal((await ids(`${column}[null]=false`)).length, 40);
    });

    it('of text take patterns as they are, lists with commas, and all at once', async () => {
      assert.deepEqual(await ids('name[contains]=MER%201'), await oracle(`name ILIKE '%MER 1%'`, []));
      assert.deepEqual(await ids('name[starts]=Customer%203'), await oracle(`name LIKE 'Customer 3%'`, []));
      assert.deepEqual(await ids('name[contains]=%25'), []);
      assert.deepEqual(await ids('name[starts]=_ustomer'), []);
      assert.deepEqual(await ids('name[in]=Customer%201,Customer%202&name[in]=x%5C,y'), [customer(1), customer(2)]);
      assert.deepEqual(await ids('seats[gte]=5&seats[lt]=8&plan=pro'), [customer(7)]);
    });
  });

  it('gives pages that follow each other until the last, with nothing twice', async () => {
    for (const sort of ['', '&sort=-plan,name', '&sort=joined', '&sort=-active,-balance']) {
      const seen: string[] = [];
      let path = `/api/customers?fields=customer_id&limit=7${sort}`;
      for (let pages = 0; path !== '' && pages < 10; pages++) {
        const told = await gateway.get(path, { token: analyst });
        seen.push(...told.json.data.map((row: { customer_id: string }) => row.customer_id));
        const link = /^<([^>]+)>; rel="next"$/.exec(told.headers.get('link') ?? '');
        assert.equal(told.json.next === null, link === null);
        path = link?.[1] ?? '';
      }
      assert.equal(seen.length, 40, sort);
      assert.equal(new Set(seen).size, 40, sort);
    }
  });

  it('takes a list with commas, or given again for each item', async () => {
    const of = async (query: string): Promise<unknown> => (await gateway.get(query, { token: analyst })).json;
    assert.deepEqual(
      await of('/api/customers?sort=plan&sort=-name&fields=plan&fields=name&limit=9'),
      await of('/api/customers?sort=plan,-name&fields=plan,name&limit=9'),
    );
    assert.deepEqual(
      await of('/aggregate/customers?group=plan&group=active&measures=count&measures=max:name'),
      await of('/aggregate/customers?group=plan,active&measures=count,max:name'),
    );
    const twice = await gateway.get('/api/customers?limit=1&limit=2', { token: analyst });
    assert.match(JSON.stringify(twice.json), /is given twice/);
  });

  it('counts, exactly and by estimate', async () => {
    assert.equal((await gateway.get('/api/customers?plan=pro&limit=1&count=exact', { token: analyst })).json.count, 14);
    assert.equal(typeof (await gateway.get('/api/customers?limit=1&count=estimated', { token: analyst })).json.count, 'number');
  });

  it('gives a row by its key, exactly, and 404 for one that is not there or is hidden', async () => {
    const told = await gateway.get(`/api/customers/${customer(3)}?fields=customer_id,balance,seen`, { token: analyst });
    assert.equal(told.text, `{"customer_id":"${customer(3)}","balance":"3.0123456789","seen":"2024-03-01T13:00:00.000001"}`);
    const [missing, hidden] = await Promise.all([
      gateway.get('/api/customers/5', { token: european }),
      gateway.get(`/api/customers/${customer(1)}`, { token: european }),
    ]);
    assert.equal(missing.status, 404);
    assert.equal(hidden.text, missing.text);
    assert.equal((await gateway.get(`/api/customers/${customer(2)}`, { token: european })).status, 200);
    assert.deepEqual((await gateway.get(`/api/seats/2/${encodeURIComponent('a/b')}`, { token: analyst })).json, {
      row_no: 2,
      place: 'a/b',
      taken: true,
    });
    assert.equal((await gateway.get('/api/customers/x', { token: analyst })).status, 400);
  });

  it('gives relations in lists and rows, each with parameters of its own', async () => {
    const told = await gateway.get(
      `/api/customers/${customer(3)}?fields=name&include=orders,account&orders.fields=order_id&orders.sort=-order_id&orders.limit=2&orders.total[lt]=100`,
      { token: analyst },
    );
    assert.deepEqual(told.json, {
      name: 'Customer 3',
      orders: [{ order_id: '72' }, { order_id: '62' }],
      account: { customer_id: customer(3), iban: 'DE3' },
    });
    const nested = await gateway.get('/api/orders/1?fields=order_id&include=customer.account', { token: analyst });
    assert.equal(nested.json.customer.account.iban, 'DE2');
  });

  it('gives a batch in the order of its keys, with null for what is not there or hidden', async () => {
    const asked = { keys: [customer(3), '5', customer(2), customer(3)], fields: ['name'] };
    const all = await gateway.post('/batch/customers', asked, { token: analyst });
    assert.deepEqual(all.json.data, [{ name: 'Customer 3' }, null, { name: 'Customer 2' }, { name: 'Customer 3' }]);
    const some = await gateway.post('/batch/customers', asked, { token: european });
    assert.deepEqual(some.json.data, [null, null, { name: 'Customer 2' }, null]);
    const seats = await gateway.post(
      '/batch/seats',
      {
        keys: [
          [3, 'é'],
          [2, 'a/b'],
        ],
      },
      { token: analyst },
    );
    assert.deepEqual(
      seats.json.data.map((row: { row_no: number }) => row.row_no),
      [3, 2],
    );
    const wrong = await gateway.post('/batch/customers', { keys: [2 ** 60, true] }, { token: analyst });
    assert.deepEqual(
      wrong.json.errors.map(({ at }: { at: string }) => at),
      ['/keys/0', '/keys/1'],
    );
  });

  it('compares with a claim that is a list, or one value as a list of one, and never reads a list from a text', async () => {
    const counted = async (regions: unknown) => {
      const { json } = await gateway.get('/aggregate/customers', { token: await gateway.token({ role: 'regional', claims: { regions } }) });
      return json.data[0].count;
    };
    assert.deepEqual([await counted(['eu', 'us']), await counted('eu'), await counted('{eu,us}'), await counted([])], [40, 20, 0, 0]);
  });

  it('measures groups as SQL does', async () => {
    const told = await gateway.get('/aggregate/customers?group=plan&measures=count,sum:balance,count:active,min:born', { token: analyst });
    const rows = await gateway.sql(
      `SELECT plan, count(*)::int AS rows, sum(balance)::text AS sum, count(active)::int AS active, min(born)::text AS born
       FROM marts.customers GROUP BY plan ORDER BY plan`,
    );
    assert.deepEqual(
      told.json.data,
      rows.map(({ plan, rows: count, sum, active, born }) => ({
        group: { plan },
        count,
        counts: { active },
        sum: { balance: sum },
        min: { born },
      })),
    );
    const own = await gateway.get('/aggregate/customers?plan=pro', { token: european });
    assert.deepEqual(own.json, { data: [{ count: 7 }] });
  });

  it('says that nothing changed, to GET and HEAD', async () => {
    for (const path of ['/api/customers?limit=2', `/api/customers/${customer(1)}`, '/aggregate/customers']) {
      const first = await gateway.get(path, { token: analyst });
      const etag = first.headers.get('etag') ?? '';
      assert.match(etag, /^"[\w-]+"$/);
      const again = await gateway.get(path, { token: analyst, headers: { 'if-none-match': `"x", W/${etag}` } });
      assert.equal(again.status, 304);
      assert.equal(again.text, '');
      const head = await gateway.get(path, { token: analyst, method: 'HEAD' });
      assert.equal(head.status, 200);
      assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(first.text)));
      assert.equal(head.headers.get('etag'), etag);
    }
  });

  it('names the methods of a path, and the types it can answer with', async () => {
    const wrong = await gateway.get('/api/customers', { token: analyst, method: 'DELETE' });
    assert.equal(wrong.status, 405);
    assert.match(wrong.headers.get('allow') ?? '', /GET/);
    assert.equal((await gateway.get('/api/customers', { method: 'OPTIONS' })).headers.get('allow'), 'GET, HEAD, OPTIONS');
    const image = await gateway.get('/api/customers', { token: analyst, headers: { accept: 'image/png' } });
    assert.equal(image.status, 406);
    const csv = await gateway.get('/api/customers?limit=1', {
      token: analyst,
      headers: { accept: 'text/csv;q=0.9, application/json;q=0.1' },
    });
    assert.match(csv.headers.get('content-type') ?? '', /text\/csv/);
  });

  it('says of a format or a type that is not there what else is wrong, too', async () => {
    const ats = async (query: string, headers = {}): Promise<unknown> => {
      const { status, json } = await gateway.get(`/api/customers?${query}`, { token: analyst, headers });
      return [status, (json.errors ?? []).map(({ at }: { at: string }) => at)];
    };
    assert.deepEqual(await ats('format=cvs&limit=0&plann=pro'), [400, ['format', 'plann', 'limit']]);
    assert.deepEqual(await ats('format=cvs'), [400, ['format']]);
    assert.deepEqual(await ats('limit=0', { accept: 'image/png' }), [400, ['limit']]);
    assert.deepEqual(await ats('limit=1', { accept: 'image/png' }), [406, []]);
  });

  it('streams all rows, or as many as are wanted, from a cursor on', async () => {
    const all = await gateway.get('/api/customers?format=ndjson&fields=customer_id', { token: analyst });
    assert.equal(all.text.trimEnd().split('\n').length, 40);
    const page = await gateway.get('/api/customers?limit=30&fields=customer_id', { token: analyst });
    const rest = await gateway.get(`/api/customers?format=csv&fields=customer_id&cursor=${page.json.next}`, { token: analyst });
    assert.equal(rest.text.trimEnd().split('\r\n').length, 11);
    const few = await gateway.get('/api/customers?limit=3&include=orders', { token: analyst, headers: { accept: 'application/x-ndjson' } });
    assert.equal(few.text.trimEnd().split('\n').length, 3);
    assert.equal((await gateway.get('/api/customers?format=csv&count=exact', { token: analyst })).status, 400);
  });
});
