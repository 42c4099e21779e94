import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { openTestGateway, type Asked, type TestGateway, type Told } from '../gateway-kit.ts';

const tables = `
  CREATE TABLE marts.things (thing_id bigint PRIMARY KEY, word text, note text);
  CREATE TABLE marts.vault (vault_id bigint PRIMARY KEY, word text);
  INSERT INTO marts.things SELECT n, 'word ' || n, 'note' FROM generate_series(1, 5) n;
  INSERT INTO marts.vault VALUES (1, 'CANARY-vault');`;

const rate = '1000000/s';

describe('attacks by HTTP itself', () => {
  let gateway: TestGateway;
  let token: string;
  before(async () => {
    gateway = await openTestGateway({
      tables,
      apis: {
        things: { dataset: 'marts.things', key: 'thing_id', roles: { reader: { fields: 'all' } }, rate },
        vault: { dataset: 'marts.vault', key: 'vault_id', roles: { owner: { fields: 'all' } }, rate },
      },
      gateway: { rate: { role: rate, all: rate }, body: '200kb' },
    });
    token = await gateway.token({ role: 'reader' });
  });
  after(async () => await gateway[Symbol.asyncDispose]());
  afterEach(() =>
    assert.deepEqual(
      gateway.log.filter(({ level }) => level === 'error'),
      [],
    ),
  );

  /** Sends these bytes and reads until the gateway closes, or is silent after an answer. */
  const send = async (bytes: string | Buffer, silence = 150): Promise<string> => {
    const { hostname, port } = new URL(gateway.address);
    const socket = connect(Number(port), hostname);
    let text = '';
    await new Promise<void>((resolve) => {
      socket.on('data', (part) => {
        text += String(part);
        socket.setTimeout(silence);
      });
      socket.on('timeout', () => socket.destroy());
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
      socket.write(bytes);
    });
    return text;
  };
  const kept = async (line: string, headers: readonly string[], body: string, silence?: number): Promise<string> =>
    await send([line, 'host: x', `authorization: Bearer ${token}`, ...headers, '', body].join('\r\n'), silence);
  const raw = async (line: string, headers: readonly string[] = []): Promise<string> =>
    await kept(line, ['connection: close', ...headers], '', 30_000);
  const statusesOf = (text: string): readonly number[] => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  const ask = async (path: string, asked: Asked = {}): Promise<Told> => await gateway.get(path, { token, ...asked });

  it('a request whose length is told in two ways, or in an odd one, is refused, and what follows is no request', async () => {
    const inner = `GET /api/things/1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`;
    const framings: readonly (readonly string[])[] = [
      ['content-length: 5', 'transfer-encoding: chunked'],
      ['transfer-encoding: chunked', 'content-length: 5'],
      ['content-length: 5', 'content-length: 6'],
      ['content-length: +5'],
      ['content-length: 5, 5'],
      ['content-length: 0x5'],
      ['content-length: -1'],
      ['transfer-encoding: xchunked'],
      ['transfer-encoding: chunked, identity'],
      ['transfer-encoding : chunked'],
      ['transfer-encoding: chunked', 'transfer-encoding: identity'],
      ['x: y', ' transfer-encoding: chunked', 'content-length : 5'],
    ];
    for (const framing of framings) {
      const text = await kept('POST /batch/things HTTP/1.1', ['content-type: application/json', ...framing], `0\r\n\r\n${inner}`);
      const statuses = statusesOf(text);
      assert.ok(statuses.length <= 1 && statuses.every((status) => status >= 400), `${framing.join(' | ')}: ${text}`);
      assert.doesNotMatch(text, /word 1/);
    }
    const last = inner.replace('\r\n', '\r\nconnection: close\r\n');
    const headers = ['content-type: application/json', 'content-length: 11'];
    assert.deepEqual(statusesOf(await kept('POST /batch/things HTTP/1.1', headers, `{"keys":[]}${last}`, 30_000)), [200, 200]);
  });

  it('line breaks, NUL and other control characters make no header, and bad request lines no answer but 4xx', async () => {
    for (const path of [
      '/api/things?word=%0d%0aset-cookie:%20a=b',
      '/api/things/1%0d%0aset-cookie:a=b',
      '/api/%0d%0aset-cookie:a=b',
      '/api/things?limit=1&x=%0aset-cookie:a',
    ]) {
      const text = await raw(`GET ${path} HTTP/1.1`);
      assert.doesNotMatch(text, /^set-cookie/im);
      assert.ok(statusesOf(text).every((status) => status < 500));
    }
    const page = await ask('/api/things?limit=1&word[ne]=%0d%0aset-cookie:a%3Db>;rel=x');
    assert.equal(page.headers.get('set-cookie'), null);
    assert.match(page.headers.get('link') ?? '', /^<[^<>]*>; rel="next"$/);
    const lines = [
      'GET /api/things HTTP/9.9',
      'GET /api/thi\0ngs HTTP/1.1',
      'GET /api/\u{7f}\t HTTP/1.1',
      'GET * HTTP/1.1',
      `GET ${'/a'.repeat(20_000)} HTTP/1.1`,
    ];
    for (const line of lines)
      assert.ok(
        statusesOf(await raw(line)).every((status) => status >= 400 && status < 500),
        line,
      );
    for (const header of ['x-request-id: a\0b', 'x-request-id: a\rb', 'a b: c', ': c', 'accept: \u{1}'])
      assert.ok(
        statusesOf(await raw('GET /api/things HTTP/1.1', [header])).every((status) => status < 500),
        header,
      );
    const bare = await send(`GET /api/things HTTP/1.1\nhost: x\nauthorization: Bearer ${token}\n\n`);
    assert.ok(statusesOf(bare).length <= 1);
  });

  it('a hidden API is hidden under every spelling of its path', async () => {
    const paths = [
      '/api/%76ault',
      '/api/vault/',
      '/api//vault',
      '//api/vault',
      '/API/vault',
      '/api/VAULT',
      '/api/./vault',
      '/api/%2e/vault',
      '/api/things/../vault',
      '/api/things/%2e%2e/vault',
      '/api/things%2f..%2fvault',
      '/api/things/..%2fvault',
      '/api/things%5c..%5cvault',
      '/api/vault;x=1',
      '/api/vault%00',
      '/api/vault%20',
      '/api/vault.json',
      '/api/vault%3Flimit=1',
      '/api/vault%23',
      '/api/%2576ault',
      '/api/%c0%ae%c0%ae/vault',
      '/api/\u{ff56}ault'.normalize('NFKC'),
      '/api/vault/1',
      '/batch/../api/vault',
      '/docs/../api/vault',
      '/docs/%2e%2e/api/vault',
      '/healthz/../api/vault',
      '/api/__proto__',
      '/api/constructor',
      '/api/hasOwnProperty/1',
      'http://elsewhere/api/vault',
      '/docs/..%2f..%2f..%2fpackage.json',
      '/docs/....//....//etc/passwd',
    ];
    for (const path of paths) {
      const text = await raw(`GET ${path} HTTP/1.1`);
      const statuses = statusesOf(text);
      assert.ok(statuses.length === 1 && statuses.every((status) => status >= 300 && status < 500), `${path}: ${text}`);
      assert.doesNotMatch(text, /CANARY|root:|"dependencies"/, path);
    }
  });

  it('headers that would be another method, path or host change nothing', async () => {
    const plain = await ask('/api/things?limit=2');
    const headers = [
      { 'x-http-method-override': 'DELETE' },
      { 'x-method-override': 'POST', 'x-http-method': 'PUT' },
      { 'x-original-url': '/api/vault', 'x-rewrite-url': '/api/vault' },
      {
        'x-forwarded-host': 'elsewhere.example',
        'x-forwarded-proto': 'https',
        'x-forwarded-prefix': '/elsewhere.example',
        forwarded: 'host=elsewhere.example',
      },
      { 'x-forwarded-for': '127.0.0.1, elsewhere.example', 'x-real-ip': '127.0.0.1', 'client-ip': '127.0.0.1' },
      { 'x-role': 'owner', 'x-millrace-role': 'owner', cookie: 'role=owner; token=x', 'x-user': 'admin' },
      { range: 'bytes=0-1', 'if-range': '*' },
    ];
    for (const given of headers) {
      const told = await ask('/api/things?limit=2', { headers: given as Record<string, string> });
      assert.deepEqual([told.status, told.text, told.headers.get('link')], [200, plain.text, plain.headers.get('link')]);
      assert.doesNotMatch(JSON.stringify([...told.headers]), /elsewhere/);
    }
    const other = await send(`GET /api/things?limit=2 HTTP/1.1\r\nhost: elsewhere.example\r\nauthorization: Bearer ${token}\r\n\r\n`);
    assert.deepEqual(statusesOf(other), [200]);
    assert.doesNotMatch(other, /elsewhere/);
    for (const hosts of ['', 'host: a\r\nhost: b\r\n']) {
      const text = await send(`GET /api/vault HTTP/1.1\r\n${hosts}authorization: Bearer ${token}\r\n\r\n`);
      assert.ok(
        statusesOf(text).every((status) => status >= 400 && status < 500),
        text,
      );
    }
  });

  it('methods that write are for no path of a dataset', async () => {
    const before = await gateway.sql('SELECT * FROM marts.things ORDER BY 1');
    for (const method of ['PUT', 'PATCH', 'DELETE', 'PROPFIND', 'MKCOL', 'LOCK', 'PURGE', 'TRACE', 'CONNECT', 'FOO', 'get', 'QUERY'])
      for (const path of [
        '/api/things',
        '/api/things/1',
        '/batch/things',
        '/aggregate/things',
        '/graphql',
        '/openapi.json',
        '/changes',
        '/healthz',
      ]) {
        const text = await raw(`${method} ${path} HTTP/1.1`, ['content-length: 0']);
        const [status = 0] = statusesOf(text);
        assert.ok(text === '' || (status >= 400 && status < 500), `${method} ${path}: ${text}`);
        assert.doesNotMatch(text.toLowerCase(), new RegExp(`bearer ${token.toLowerCase()}`));
      }
    assert.equal((await ask('/api/things?_method=DELETE')).status, 400);
    assert.deepEqual(await gateway.sql('SELECT * FROM marts.things ORDER BY 1'), before);
  });

  it('bodies that are compressed, mistyped, deep, huge, or no UTF-8 are refused at once', async () => {
    const deep = (open: string, close: string, times: number): string => open.repeat(times) + close.repeat(times);
    const json = 'application/json';
    const bodies: readonly (readonly [what: string, body: string | Buffer, headers: Readonly<Record<string, string>>])[] = [
      ['gzip', gzipSync('{"keys":["1"]}'), { 'content-type': json, 'content-encoding': 'gzip' }],
      ['gzip of a megabyte of blanks', gzipSync(' '.repeat(1_000_000)), { 'content-type': json, 'content-encoding': 'gzip' }],
      ['made-up encoding', '{"keys":["1"]}', { 'content-type': json, 'content-encoding': 'x' }],
      ['text', '{"keys":["1"]}', { 'content-type': 'text/plain' }],
      ['form', 'keys=1', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['multipart', '--x\r\n\r\n1\r\n--x--', { 'content-type': 'multipart/form-data; boundary=x' }],
      ['xml', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', { 'content-type': 'application/xml' }],
      ['yaml', 'keys: [1]', { 'content-type': 'application/yaml' }],
      ['odd type', '{"keys":["1"]}', { 'content-type': 'json' }],
      ['broken UTF-8', Buffer.from('7b226b657973223a5b22c328225d7d', 'hex'), { 'content-type': json }],
      ['deep list', `{"keys":${deep('[', ']', 40_000)}}`, { 'content-type': json }],
      ['deep object', `{"query":"{x}","variables":${deep('{"a":', '}', 20_000).replace(':}', ':1}')}}`, { 'content-type': json }],
      ['own prototype', '{"keys":["1"],"__proto__":{"isAdmin":true}}', { 'content-type': json }],
      ['constructor', '{"keys":["1"],"constructor":{"prototype":{"isAdmin":true}}}', { 'content-type': json }],
      ['prototype as key', '{"keys":[{"__proto__":1}]}', { 'content-type': json }],
      ['huge number', `{"keys":[${'9'.repeat(100_000)}]}`, { 'content-type': json }],
      ['1e999', '{"keys":[1e999]}', { 'content-type': json }],
      ['many keys', JSON.stringify({ keys: Array.from({ length: 40_000 }, () => 1) }), { 'content-type': json }],
      ['too large', `{"keys":["${'x'.repeat(1_100_000)}"]}`, { 'content-type': json }],
      ['nothing', '', { 'content-type': json }],
      ['a mark of bytes', Buffer.from('efbbbf7b', 'hex'), { 'content-type': json }],
      ['two values', '{"keys":[]}{"keys":[]}', { 'content-type': json }],
      ['NaN', '{"keys":[NaN]}', { 'content-type': json }],
    ];
    for (const path of ['/batch/things', '/graphql'])
      for (const [what, body, headers] of bodies) {
        const begun = Date.now();
        const answer = await fetch(`${gateway.address}${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, accept: 'application/graphql-response+json, application/json', ...headers },
          body: new Uint8Array(Buffer.from(body)),
        });
        const text = await answer.text();
        assert.ok(answer.status >= 400 && answer.status < 500, `${path} ${what}: ${answer.status} ${text.slice(0, 200)}`);
        assert.ok(text.length < 20_000, `${path} ${what}: ${text.length}`);
        assert.ok(Date.now() - begun < 2000, `${path} ${what} took ${Date.now() - begun} ms`);
        assert.doesNotMatch(text, /at \w+ \(|node:|\.ts:\d|root:/);
      }
    assert.equal(Reflect.get({}, 'isAdmin'), undefined);
  });

  it('parameters that are many, doubled or called like parts of prototypes are refused or filter by what they are', async () => {
    const refused = [
      Array.from({ length: 1000 }, (_, n) => `a${n}=1`).join('&'),
      Array.from({ length: 300 }, () => 'word=x').join('&'),
      'limit=1&limit=5',
      'fields=word&fields=__proto__',
      'sort=word&sort=hasOwnProperty',
      'include=constructor&include=__proto__',
      'cursor=a&cursor=b',
      'limit[]=1',
      'limit[0]=1',
      '__proto__=1',
      '__proto__[x]=1',
      'constructor=1',
      'constructor.prototype=1',
      'constructor[prototype][x]=1',
      'toString=1',
      'fields=__proto__',
      'fields=constructor',
      'sort=hasOwnProperty',
      'include=__proto__',
      'include=constructor.prototype',
      '__proto__.limit=1',
      'word[__proto__]=1',
      'word[constructor]=1',
      'word[eq][eq]=1',
      'word[=1',
      '[]=1',
      '[eq]=1',
      '.=1',
      '=1',
      'word.x=1',
      `${'x'.repeat(2000)}=1`,
      `${'a.'.repeat(500)}b=1`,
      `${'['.repeat(500)}=1`,
      `include=${'a.'.repeat(1000)}`,
      'limit=1e1',
      'limit=0x1',
      'limit=%EF%BC%91',
      'limit=9'.repeat(20),
      'word=%ff',
      'word=%',
      'word=%u0061',
      'word=%00',
      'word[in]=%00',
      'thing_id=1%0a',
      'thing_id=١',
    ];
    for (const query of refused) {
      const told = await ask(`/api/things?${query}`);
      assert.ok([400, 414].includes(told.status), `${query.slice(0, 80)}: ${told.status} ${told.text.slice(0, 200)}`);
      assert.ok(told.text.length < 10_000, query.slice(0, 80));
      const group = await ask(`/aggregate/things?${query.replace('fields', 'group').replace('sort', 'measures')}`);
      assert.ok([400, 414].includes(group.status), `${query.slice(0, 80)}: ${group.status}`);
    }
    assert.equal((await ask('/api/things?word=word%201&word=word%202')).json.data.length, 0);
    for (const query of [
      'query={__typename}&query={__typename}',
      'query[]={__typename}',
      'query={__typename}&variables={"__proto__":1',
      'query={__typename}&variables=[]',
    ])
      assert.equal(
        (await ask(`/graphql?${encodeURI(query)}`, { headers: { accept: 'application/graphql-response+json' } })).status,
        400,
        query,
      );
  });
});
