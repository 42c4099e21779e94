import assert from 'node:assert/strict';
import type { TestGateway, Told } from '../gateway-kit.ts';
import { customer, openRestGateway } from './rest-kit.ts';

const naughty = [
  `'`,
  `''; DROP TABLE marts.customers; --`,
  `1 OR 1=1`,
  `1); DELETE FROM marts.customers; --`,
  `\\'; SELECT pg_sleep(10); --`,
  `$1`,
  `\${claim:region}`,
  `"`,
  `%`,
  `%00`,
  `\0`,
  `é\u202e\u{1f4a9}`,
  `__proto__`,
  `constructor`,
  `../../etc/passwd`,
  `<script>alert(1)</script>`,
  `{"$gt":""}`,
  `E'\\\\x00'`,
  `9`.repeat(500),
  `(`.repeat(1000),
];

describe('REST under attack', () => {
  let gateway: TestGateway;
  let analyst: string;
  let european: string;
  before(async () => {
    gateway = await openRestGateway();
    analyst = await gateway.token({ role: 'analyst' });
    european = await gateway.token({ role: 'support', claims: { region: 'eu' } });
  });
  after(async () => await gateway[Symbol.asyncDispose]());

  /** A busy machine is told to come back; that is tested elsewhere. */
  const patiently = async (ask: () => Promise<Told>): Promise<Told> => {
    let told = await ask();
    while (told.status === 503) told = await ask();
    return told;
  };
  const get = async (path: string, token = analyst): Promise<Told> => await patiently(() => gateway.get(path, { token }));
  /** The same place with two names. */
  const both = async (place: string, names: readonly [string, string], token: string): Promise<readonly [Told, Told]> => [
    await get(place.replace('X', names[0]), token),
    await get(place.replace('X', names[1]), token),
  ];
  const problem = (told: Told): unknown => ({ status: told.status, title: told.json.title, errors: told.json.errors });

  it('answers whatever stands in a parameter with 400 or what matches exactly; the tables are as they were', async () => {
    const before = await gateway.sql('SELECT count(*), sum(hashtext(c::text)) FROM marts.customers c');
    const names = [
      'name',
      'name[contains]',
      'name[starts]',
      'name[in]',
      'seats',
      'balance[gt]',
      'score[lt]',
      'born',
      'joined[gte]',
      'wakes',
      'ref',
      'active',
    ];
    const settings = [
      'sort',
      'fields',
      'include',
      'limit',
      'cursor',
      'count',
      'format',
      'orders.limit',
      'orders.note',
      'mood',
      'host',
      'plan[null]',
    ];
    for (const text of naughty) {
      const value = encodeURIComponent(text);
      const paths = [
        ...[...names, ...settings].map((name) => `/api/customers?${encodeURIComponent(name)}=${value}`),
        ...['measures', 'group', 'name'].map((name) => `/aggregate/customers?${name}=${value}`),
        `/api/customers?${value}=1`,
        `/api/customers?${value}[eq]=1`,
        `/api/customers/${value}`,
        `/api/seats/1/${value}`,
        `/api/${value}`,
      ];
      for (const told of await Promise.all(paths.map((path) => get(path)))) {
        assert.ok([200, 400, 404, 414].includes(told.status), `${text}: ${told.status} ${told.text}`);

        assert.doesNotMatch(told.text, /syntax error|pg_catalog|SELECT \*/);
      }
      for (const name of names) {
        const told = await get(`/api/customers?${encodeURIComponent(name)}=${value}`);
        if (told.status === 200) assert.deepEqual(told.json.data, [], `${name} ${text}`);
      }
      const batch = await patiently(() => gateway.post('/batch/seats', { keys: [[1, text]], fields: ['row_no'] }, { token: analyst }));
      assert.ok(batch.status === 400 || batch.text === '{"data":[null]}', batch.text);
    }
    assert.deepEqual(await gateway.sql('SELECT count(*), sum(hashtext(c::text)) FROM marts.customers c'), before);
    assert.deepEqual(
      gateway.log.filter(({ level }) => level === 'error'),
      [],
    );
  });

  it('says the same of a hidden column and one that is not there, wherever it is named', async () => {
    const places = ['X=1', 'X[gt]=1', 'X[null]=true', 'fields=X', 'sort=X', 'sort=-X'].map((query) => `/api/customers?${query}`);
    const groups = ['group=X', 'measures=sum:X', 'measures=count:X', 'X=1'].map((query) => `/aggregate/customers?${query}`);
    for (const place of [...places, ...groups]) {
      const [hidden, unknown] = await both(place, ['balance', 'nothing'], european);
      assert.equal(hidden.status, 400);
      assert.equal(hidden.text.replaceAll('balance', 'nothing'), unknown.text);
    }
    const [relation, noRelation] = await both('/api/customers?include=X', ['orders', 'nothing'], european);
    assert.equal(relation.text.replaceAll('orders', 'nothing'), noRelation.text);
    const [api, noApi] = await both('/api/X', ['orders', 'nothing'], european);
    assert.equal(api.status, 404);
    assert.equal(api.text, noApi.text);
  });

  it('suggests no name that the role does not see', async () => {
    assert.doesNotMatch((await get('/api/customers?balanc=1&fields=secre&sort=seat', european)).text, /balance"|secret"|seats"/);
    assert.match((await get('/api/customers?balanc=1')).text, /did you mean \\"balance\\"/);
  });

  it('shows masked columns and nothing else of them', async () => {
    const [row] = (await get('/api/customers?limit=1')).json.data;
    assert.equal(row.secret, '***');
    assert.match(row.email, /^[0-9a-f]{64}$/);
    for (const query of ['email=x', 'email[null]=true', 'secret[starts]=h', 'sort=email', 'sort=-secret'])
      assert.match((await get(`/api/customers?${query}`)).text, /is masked and can only be shown/, query);
    for (const query of ['group=email', 'measures=max:secret', 'measures=count:email', 'email=x'])
      assert.match((await get(`/aggregate/customers?${query}`)).text, /is masked and can only be shown/, query);
  });

  it('refuses a cursor of another role, sort or API, and one that is made up', async () => {
    const own = (await get('/api/customers?limit=1')).json.next;
    const of = (parts: readonly unknown[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url');
    const prefix = 'customers analyst customer_id';
    assert.equal((await get(`/api/customers?cursor=${own}`)).status, 200);
    assert.equal((await get(`/api/customers?cursor=${of([prefix, customer(39)])}`)).json.data.length, 1);
    const wrong = [
      [`/api/customers?cursor=${own}`, european],
      [`/api/customers?sort=name&cursor=${own}`, analyst],
      [`/api/orders?cursor=${own}`, analyst],
      ['/api/customers?cursor=', analyst],
      ['/api/customers?cursor=%00', analyst],
      [`/api/customers?cursor=${own.slice(0, -2)}`, analyst],
      ...[['1; DROP TABLE x'], ['x'], [null, 1], [1], [['a']], [{}], ['99999999999999999999']].map((values) => [
        `/api/customers?cursor=${of([prefix, ...values])}`,
        analyst,
      ]),
      [`/api/customers?sort=joined&cursor=${of(['customers analyst joined customer_id', '2024-99-99', '1'])}`, analyst],
    ] as const;
    for (const [path, token] of wrong) {
      const told = await get(path ?? '', token);
      assert.equal(told.status, 400, `${path} ${told.text}`);
    }
  });

  it('bounds what one request may ask for, and says all that is wrong at once', async () => {
    const many = Array.from({ length: 201 }, (_, n) => n).join(',');
    const told = await get(
      `/api/customers?limit=51&sort=${Array.from({ length: 9 }, () => 'name').join(',')}&seats[in]=${many}&include=orders.customer.orders.customer.orders&plam=pro&born=2026-02-30&limit[eq]=x&active=1`,
    );
    assert.deepEqual(problem(told), {
      status: 400,
      title: 'Bad request',
      errors: [
        { at: 'include', message: 'may go 4 relations deep' },
        { at: 'seats[in]', message: 'may have at most 200 items' },
        { at: 'plam', message: 'is no parameter here; did you mean "plan"?' },
        { at: 'born', message: 'must be a date, as in "2026-01-31"' },
        { at: 'limit[eq]', message: 'must be a whole number from -2147483648 to 2147483647' },
        { at: 'active', message: 'must be true or false' },
        { at: 'sort', message: 'may have at most 8 columns' },
        { at: 'limit', message: 'must be a whole number from 1 to 50' },
      ],
    });
    assert.equal((await get(`/api/customers?name=${'x'.repeat(9000)}`)).status, 414);
    const message = 'is no parameter here: it takes measures, group, and columns to filter by';
    assert.deepEqual((await get('/aggregate/customers?count=exact&orders.total[gt]=5')).json.errors, [
      { at: 'count', message },
      { at: 'orders.total[gt]', message },
    ]);
    for (const [body, at, said] of [
      [[1], 'body', 'must be JSON such as {"keys": ["42", "43"]}'],
      [{}, '/keys', 'must be a list of keys, as in {"keys": ["42", "43"]}'],
      [{ keys: [], fields: 'name' }, '/fields', 'must be a list of columns'],
      [{ keys: [], include: [1] }, '/include/0', 'must be text'],
    ] as const)
      assert.deepEqual((await gateway.post('/batch/customers', body, { token: analyst })).json.errors, [{ at, message: said }]);
    const keys = Array.from({ length: 101 }, () => '1');
    assert.equal((await gateway.post('/batch/customers', { keys }, { token: analyst })).status, 400);
    assert.match(
      (await get('/api/customers?limit=50&include=orders.customer.orders.customer&orders.limit=50&orders.customer.orders.limit=50')).text,
      /rows/,
    );
  });

  it('shows nothing to a token without the claim of a rule', async () => {
    const told = await get('/api/customers', await gateway.token({ role: 'support' }));
    assert.equal(told.status, 403);
    assert.match(told.text, /claim/);
  });
});
