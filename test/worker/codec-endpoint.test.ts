import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { payloadCodec } from '../../client/payload-codec.ts';
import { openCodecEndpoint, type CodecEndpoint } from '../../worker/codec-endpoint.ts';

const ui = 'http://127.0.0.1:8233';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const clear = { payloads: [{ metadata: { encoding: base64('json/plain') }, data: base64('"CANARY"') }] };

describe('the codec endpoint', () => {
  let folder: string;
  let endpoint: CodecEndpoint;
  const key = randomBytes(32);
  const open = (): Promise<CodecEndpoint> =>
    openCodecEndpoint({ codec: payloadCodec({ current: 'a', byId: new Map([['a', key]]) }), origins: [ui], stateFolder: folder });
  const post = (address: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(address, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-codec-'));
    endpoint = await open();
  });

  after(async () => {
    await endpoint[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('encrypts and decrypts, with the token in the address or as a bearer', async () => {
    const encoded = await (await post(`${endpoint.address}/encode`, clear)).text();
    assert.ok(!encoded.includes(base64('"CANARY"')));
    assert.deepEqual(await (await post(`${endpoint.address}/decode`, JSON.parse(encoded))).json(), clear);
    const answer = await post(`${endpoint.bareAddress}/decode`, JSON.parse(encoded), { authorization: `Bearer ${endpoint.token}` });
    assert.deepEqual(await answer.json(), clear);
  });

  it('refuses without the token, and with another', async () => {
    for (const path of ['/decode', '/encode', `/${'x'.repeat(endpoint.token.length)}/decode`, '//decode']) {
      const answer = await post(`${endpoint.bareAddress}${path}`, clear);
      assert.equal(answer.status, 401, path);
      assert.ok(!(await answer.text()).includes(endpoint.token));
    }
    assert.equal((await post(`${endpoint.bareAddress}/decode`, clear, { authorization: 'Bearer x' })).status, 401);
  });

  it("lets the UI's pages read its answers, and no other page", async () => {
    const preflight = async (origin: string): Promise<Headers> =>
      (await fetch(`${endpoint.address}/decode`, { method: 'OPTIONS', headers: { origin } })).headers;
    const own = await preflight(ui);
    assert.equal(own.get('access-control-allow-origin'), ui);
    assert.match(own.get('access-control-allow-headers') ?? '', /x-namespace/);
    assert.match(own.get('access-control-allow-headers') ?? '', /authorization/);
    assert.equal((await preflight('http://evil.example')).get('access-control-allow-origin'), null);
  });

  it('says what is wrong with a request', async () => {
    assert.equal((await post(`${endpoint.address}/other`, clear)).status, 404);
    assert.equal((await fetch(`${endpoint.address}/decode`)).status, 405);
    assert.equal((await post(`${endpoint.address}/decode`, { payloads: [{ data: 'not base64!' }] })).status, 400);
    const foreign = { payloads: [{ metadata: { encoding: base64('binary/encrypted'), 'encryption-key-id': base64('z') }, data: '' }] };
    const answer = await post(`${endpoint.address}/decode`, foreign);
    assert.match(await answer.text(), /encrypted with key z/);
  });

  it('keeps its address for the next time, readable by its owner alone', async () => {
    const { address } = endpoint;
    await endpoint[Symbol.asyncDispose]();
    endpoint = await open();
    assert.equal(endpoint.address, address);
    assert.equal((await stat(join(folder, 'codec.json'))).mode & 0o777, 0o600);
    assert.ok((await readFile(join(folder, 'codec.json'), 'utf8')).includes(endpoint.token));
  });
});
