import assert from 'node:assert/strict';
import { createScrubber, resolveSettings } from '../../worker/secrets.ts';
import { folderWith } from '../client/project-kit.ts';

const resolve = (settings: Readonly<Record<string, unknown>>, environment: Readonly<Record<string, string>> = {}) =>
  resolveSettings({ name: 'shop', settings }, { environment, host: 'box-1' });

describe('secrets', () => {
  it('references are replaced by variables, defaults and files', async () => {
    await using folder = await folderWith({ secret: 'from file\n' });
    const settings = {
      a: '${env:A}',
      b: '${env:B:-fallback}',
      c: '${env:C:-}',
      d: `\${file:${folder.path}/secret}`,
      e: 1,
      f: ['${env:A}'],
    };
    const resolved = await resolve(settings, { A: 'aaaa', B: '' });
    assert.deepEqual(resolved.settings, { a: 'aaaa', b: 'fallback', c: '', d: 'from file', e: 1, f: ['aaaa'] });
    assert.deepEqual([...resolved.secrets].toSorted(), ['aaaa', 'from file']);
  });

  it('a missing variable is named with its connection and the worker’s host', async () => {
    await assert.rejects(resolve({ url: '${env:SHOP_URL}' }), {
      code: 'auth',
      message: /Connection shop: url needs the variable SHOP_URL.* on box-1/,
    });
    await assert.rejects(resolve({ url: '${env:SHOP_URL}' }, { SHOP_URL: '' }), { code: 'auth' });
  });

  it('a missing file is named with its connection and the worker’s host', async () => {
    await assert.rejects(resolve({ url: '${file:/nowhere/x}' }), {
      code: 'auth',
      message: /shop: url needs the file \/nowhere\/x.* box-1/,
    });
  });

  it('within a URL a value is escaped, and its password is a secret too', async () => {
    const { settings, secrets } = await resolve(
      { url: 'postgres://me:${env:PW}@host/db?application_name=${env:APP}' },
      { PW: 'p@ss/w', APP: 'a&b' },
    );
    assert.equal(settings['url'], 'postgres://me:p%40ss%2Fw@host/db?application_name=a%26b');
    assert.ok(secrets.includes('p@ss/w') && secrets.includes('p%40ss%2Fw'));
    const whole = await resolve({ url: '${env:URL}' }, { URL: 'postgres://me:hunter2@host/db' });
    assert.equal(whole.settings['url'], 'postgres://me:hunter2@host/db');
    assert.ok(whole.secrets.includes('hunter2'));
  });

  it('the host of an address is none; what follows it is, and so is all of it where a secret belongs', async () => {
    const shown = async (settings: Readonly<Record<string, unknown>>, value: string, text = value): Promise<string> => {
      const { secrets } = await resolve(settings, { A: value });
      return createScrubber(secrets)(`at ${text}`);
    };
    const url = { url: '${env:A}' };
    assert.equal(await shown(url, 'http://127.0.0.1:4701'), 'at http://127.0.0.1:4701');
    assert.equal(await shown(url, 'https://api.example.com/', 'https://api.example.com/contacts'), 'at https://api.example.com/contacts');
    assert.equal(await shown(url, 'https://hooks.example.com/T0/B0/xyz'), 'at https://hooks.example.com/***');
    assert.equal(
      await shown(url, 'https://hooks.example.com/T0/B0/', 'https://hooks.example.com/T0/B0?x'),
      'at https://hooks.example.com/***?x',
    );
    assert.equal(
      await shown(url, 'https://API.example.com/Key', 'https://api.example.com/Key/contacts'),
      'at https://api.example.com/***/contacts',
    );
    assert.equal(await shown(url, 'https://api.example.com?key=abcdef'), 'at https://api.example.com/***');
    assert.equal(await shown({ auth: { token_url: '${env:A}' } }, 'https://login.example.com/oauth'), 'at https://login.example.com/***');
    assert.equal(
      await shown({ url: 'https://${env:A}.example.com' }, 'acme', 'https://acme.example.com/x'),
      'at https://acme.example.com/x',
    );
    for (const value of ['https://me:hunter2@example.com', 'postgres://me:p/w@example.com/db', 'postgres://me:p#w@example.com/db']) {
      assert.equal(await shown(url, value), 'at ***');
    }
    for (const value of ['https://example.com', 'https://example.com/a/b']) {
      assert.doesNotMatch(await shown({ token: '${env:A}' }, value), /example/);
      assert.doesNotMatch(await shown({ auth: { type: 'api-key', value: '${env:A}' } }, value), /example/);
    }
    assert.equal(
      await shown({ url: 'https://example.com/${env:A}' }, 'abcdef', 'https://example.com/abcdef'),
      'at https://example.com/***',
    );
    assert.equal(await shown({ url: 'https://${env:A}@example.com' }, 'abcdef', 'key abcdef'), 'at key ***');
  });

  it('are taken out of texts, with users and passwords of any URL and Authorization headers', () => {
    const scrub = createScrubber(['hunter2', 'hunter2-longer', 'x']);
    assert.equal(scrub('no hunter2-longer, no hunter2'), 'no ***, no ***');
    assert.equal(scrub('at postgres://me:p%40ss@host:5432/db?x=1'), 'at postgres://***@host:5432/db?x=1');
    assert.equal(scrub('at postgres://me:p@ss@host/db'), 'at postgres://***@host/db');
    assert.equal(scrub('Authorization: Bearer abc.def'), 'Authorization: ***');
    assert.equal(scrub('{"authorization":"Basic abcdef=="}'), '{"authorization":"***"}');
    assert.equal(scrub('password=secret host=x'), 'password=*** host=x');
    assert.equal(scrub('see https://example.com/a@b, mail a@b'), 'see https://example.com/a@b, mail a@b');
  });
});
