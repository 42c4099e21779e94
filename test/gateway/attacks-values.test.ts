import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { openTestGateway, until, type TestGateway, type Told } from '../gateway-kit.ts';

const canary = (name: string): string => `CANARY-${name}-${randomUUID()}`;
const cell = canary('cell');
const hiddenCell = canary('hidden');
const maskKey = canary('mask-key');
const claim = canary('claim');
const given = canary('given');

/** Columns called like parts of prototypes, and a cell that must come up in no error. */
const tables = `
  CREATE TABLE marts.things (thing_id bigint PRIMARY KEY, word text, hidden text, masked text, amount double precision, "__proto__" text, "constructor" text, "toString" integer);
  CREATE TABLE marts.many AS SELECT n AS many_id, repeat('x', 1000) AS text FROM generate_series(1, 60000) n;
  CREATE TABLE marts.breaking AS SELECT * FROM marts.things;
  INSERT INTO marts.things SELECT n, '${cell}' || n, '${hiddenCell}' || n, '${cell}', 1.7e308, 'own', 'mine', n FROM generate_series(1, 5) n;
  INSERT INTO marts.breaking SELECT * FROM marts.things;`;

const rate = '1000000/s';
const roles = {
  reader: { fields: ['thing_id', 'word', 'masked', 'amount', '__proto__', 'constructor', 'toString'], mask: { masked: 'hash' } },
  claimed: { fields: ['thing_id', 'word'], rows: 'word <> ${claim:word}' },
};
const apis = {
  things: { dataset: 'marts.things', key: 'thing_id', roles, rate },
  many: { dataset: 'marts.many', key: 'many_id', roles: { reader: { fields: 'all' } }, rate },
  breaking: {
    dataset: 'marts.breaking',
    key: 'thing_id',
    roles: {
      reader: { fields: ['thing_id'], rows: 'hidden::integer > 0' },
      claimed: { fields: ['thing_id'], rows: 'thing_id > ${claim:word}::integer' },
    },
    rate,
  },
};

const naughty = [
  `'`,
  `"`,
  `\\`,
  `'; DROP TABLE marts.things; --`,
  `' OR 1=1 --`,
  `$1`,
  `\${claim:word}`,
  `%`,
  `_`,
  `{}`,
  `[]`,
  `__proto__`,
  `\u202e\u{1f4a9}`,
  '\ufeff',
  `\u0000`,
  `\ud800`,
  `-`,
  `NaN`,
  `1e400`,
  `' || pg_sleep(9) || '`,
  `$$x$$`,
  `E'\\x'`,
  given,
];

describe('attacks by values, and what answers, logs and books hold', () => {
  let gateway: TestGateway;
  let token: string;
  let told: Told[];
  before(async () => {
    told = [];
    gateway = await openTestGateway({
      tables,
      apis,
      gateway: { rate: { role: rate, all: rate }, mask_key: '${env:MASK_KEY}' },
      environment: { MASK_KEY: maskKey },
    });
    token = await gateway.token({ role: 'reader', claims: { word: claim } });
  });
  after(async () => await gateway[Symbol.asyncDispose]());

  const graphql = async (query: string, variables: object = {}, as = token): Promise<Told> => {
    const answer = await gateway.post(
      '/graphql',
      { query, variables },
      { token: as, headers: { accept: 'application/graphql-response+json' } },
    );
    told.push(answer);
    return answer;
  };
  const get = async (path: string, as = token, headers: Readonly<Record<string, string>> = {}): Promise<Told> => {
    const answer = await gateway.get(path, { token: as, headers });
    told.push(answer);
    return answer;
  };

  it('columns called like parts of prototypes are columns and nothing more', async () => {
    const own = { thing_id: '1', constructor: 'mine', toString: 1 };
    const list = await get(
      '/api/things?fields=thing_id,__proto__,constructor,toString&__proto__=own&constructor=mine&toString=1&sort=__proto__,-constructor',
    );
    assert.equal(
      list.text,
      '{"data":[{"thing_id":"1","__proto__":"own","constructor":"mine","toString":1}],"next":null}'.replaceAll('\n', ''),
    );
    const groups = await get('/aggregate/things?group=__proto__&measures=count:constructor,max:toString');
    assert.equal(groups.text, '{"data":[{"group":{"__proto__":"own"},"counts":{"constructor":5},"max":{"toString":5}}]}');
    const batch = await gateway.post('/batch/things', { keys: ['1'], fields: ['thing_id', 'constructor', 'toString'] }, { token });
    assert.deepEqual({ ...batch.json.data[0] }, own);
    const graph = await graphql(
      '{ things(filter: { constructor: { eq: "mine" }, toString: { eq: 1 } }) { nodes { thing_id constructor toString } } }',
    );
    assert.deepEqual(JSON.parse(graph.text).data.things.nodes[0], own);
    assert.equal((await get('/openapi.json')).status, 200);
    assert.equal(Reflect.get({}, 'own'), undefined);
  });

  it('texts of all sorts are values in every argument of GraphQL, in headers, keys and claims', async () => {
    const before = await gateway.sql("SELECT md5(string_agg(t::text, '' ORDER BY 1)) FROM marts.things t");
    for (const text of naughty) {
      const literal = JSON.stringify(text);
      const answers = await Promise.all([
        graphql('query($v: String) { things(filter: { word: { eq: $v } }) { totalCount } }', { v: text }),
        graphql('query($v: [String!]) { things(filter: { or: [{ word: { in: $v } }, { word: { starts: "x" } }] }) { totalCount } }', {
          v: [text, text],
        }),
        graphql(`{ things(filter: { not: { word: { contains: ${literal} } } }) { totalCount } }`),
        graphql(`{ things(after: ${literal}) { totalCount } }`),
        graphql(`{ things(before: ${literal}, last: 1) { totalCount } }`),
        graphql(`{ thingsByKey(thing_id: ${literal}) { thing_id } }`),
        graphql(`{ things(sort: ${literal}) { totalCount } }`),
        graphql(`{ thingsAggregate(groupBy: ${literal}) { count } }`),
        graphql(`{ ${text} }`),
        graphql('query($v: things) { __typename }', { v: text }),
        graphql('{ __typename }', { [text]: { __proto__: { x: 1 } } }),
        gateway.post('/graphql', { query: '{ __typename }', operationName: text, variables: {} }, { token }),
        gateway.post('/batch/things', { keys: [text], fields: [text], include: [text] }, { token }),
        gateway.post('/batch/things', { keys: [[text]], [text]: 1 }, { token }),
      ]);
      for (const { status, text: body } of answers) {
        assert.ok([200, 400].includes(status), `${literal}: ${status} ${body}`);
        assert.doesNotMatch(body, /syntax error at or near|SQLSTATE 42|pg_catalog|at \w+ \(/);
      }
      const header = encodeURIComponent(text.replaceAll('\ud800', ''));
      for (const name of ['if-none-match', 'accept', 'last-event-id', 'idempotency-key', 'origin', 'referer', 'user-agent'])
        assert.ok([200, 406].includes((await get('/api/things?fields=thing_id', token, { [name]: header })).status), `${name} ${header}`);
      const claimed = await gateway.token({ role: 'claimed', claims: { word: text.replaceAll('\u0000', '').replaceAll('\ud800', '') } });
      assert.equal((await get('/api/things', claimed)).json.data.length, 5, literal);
    }
    for (const word of [['a'], { a: 1 }, 1e300, true, 1, '']) {
      const claimed = await gateway.token({ role: 'claimed', claims: { word } });
      const { status } = await get('/api/things', claimed);
      assert.ok([200, 403].includes(status), `${JSON.stringify(word)} ${status}`);
    }
    assert.deepEqual(await gateway.sql("SELECT md5(string_agg(t::text, '' ORDER BY 1)) FROM marts.things t"), before);
  });

  it('sums beyond their type, bombs of directives and lists within lists are answered or refused', async () => {
    const sum = await get('/aggregate/things?measures=sum:amount,avg:amount');
    assert.ok(sum.status < 500, sum.text);
    const bombs = [
      `{ things ${'@skip(if: false)'.repeat(3000)} { totalCount } }`,
      `{ things(filter: ${'{not: '.repeat(900)}{}${'}'.repeat(900)}) { totalCount } }`,
      `{ things(sort: ${'['.repeat(1900)}${']'.repeat(1900)}) { totalCount } }`,
      `query(${Array.from({ length: 900 }, (_, n) => `$v${n}: Int`).join()}) { __typename }`,
      `{ ...a } ${Array.from({ length: 300 }, (_, n) => `fragment ${'a'.repeat(n + 1)} on Query { ...${'a'.repeat(n + 2)} }`).join(' ')} fragment ${'a'.repeat(301)} on Query { ...a }`,
      `{ ${Array.from({ length: 500 }, () => '__typename').join(' ')} ${Array.from({ length: 101 }, (_, n) => `x${n}: __typename`).join(' ')} }`,
      `{ things { nodes { ${'... on Things { '.repeat(500)} word ${'}'.repeat(500)} } } }`,
      `subscription { things { totalCount } }`,
      `"""${'x'.repeat(150_000)}""" { __typename }`,
    ];
    for (const query of bombs) {
      const begun = Date.now();
      const { status, text } = await graphql(query);
      assert.ok(status === 400 || (status === 200 && query.includes('... on')), `${query.slice(0, 60)} ${text.slice(0, 200)}`);
      assert.ok(text.length < 20_000 && Date.now() - begun < 2000, query.slice(0, 60));
    }
  });

  it('a rule that fails on a hidden value shows nothing, and says nothing of the value', async () => {
    for (const as of [token, await gateway.token({ role: 'claimed', claims: { word: claim } })])
      for (const answer of [
        await get('/api/breaking', as),
        await get('/api/breaking?format=csv', as),
        await get('/api/breaking/1', as),
        await get('/aggregate/breaking', as),
        await graphql('{ breaking { nodes { thing_id } } }', {}, as),
      ]) {
        assert.ok(answer.status >= 400, answer.text);
        assert.doesNotMatch(answer.text, /CANARY|integer|hidden|SQLSTATE 22P02.*CANARY/);
      }
  });

  it('no error, log line, number or entry of the audit log holds a cell, a token, a key of masks, a claim or a value given', async () => {
    await get(`/api/things?word=${given}&unknown=${given}&limit=${given}&cursor=${given}&masked=${given}`);
    await get(`/api/${given}`);
    await get(`/api/things/${given}`);
    await get(`/api/things?token=${token}&format=csv`);
    await gateway.get('/api/things', { token: token.slice(0, -3) });
    await gateway.get('/api/things', { headers: { authorization: `Basic ${Buffer.from(`a:${given}`).toString('base64')}` } });
    await gateway.get('/api/things?format=csv', { token });
    const secret = token.split('_')[2] ?? '';
    assert.ok(secret.length > 20);
    const secrets = [hiddenCell, maskKey, secret, claim];
    for (const { status, text } of told) {
      for (const one of status < 400 ? secrets : [...secrets, cell]) assert.ok(!text.includes(one), text.slice(0, 500));
      if (status < 400) assert.ok(!text.includes(`"masked":"${cell}`));
    }
    const metrics = (await gateway.get('/metrics')).text;
    await until(async () => (await gateway.sql('SELECT 1 FROM _millrace.audit')).length > 0);
    await gateway.close();
    const audit = JSON.stringify(await gateway.sql('SELECT * FROM _millrace.audit'));
    for (const [what, text] of [
      ['metrics', metrics],
      ['log', JSON.stringify(gateway.log)],
      ['audit log', audit],
    ])
      for (const one of [...secrets, cell, given])
        assert.ok(!text?.includes(one), `${what} holds ${one}: ${text?.slice(Math.max(0, text.indexOf(one) - 200)).slice(0, 400)}`);
  });
});
