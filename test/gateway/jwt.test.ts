import assert from 'node:assert/strict';
import { constants, createHmac, createSign, KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { openAccess } from '../../gateway/access/access.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import { until } from '../workflows/until.ts';
import { definitionOf, MemoryBooks, openServer, silent, type AccessServer } from './access-kit.ts';

type Jwt = NonNullable<GatewayDefinition['jwt']>;
type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

/** A place for keys that counts who asks. */
interface Issuer extends AsyncDisposable {
  readonly url: string;
  keys: readonly object[];
  status: number;
  asked: number;
}

async function openIssuer(): Promise<Issuer> {
  const issuer = { url: '', keys: [] as readonly object[], status: 200, asked: 0 };
  const server: Server = createServer((_, answer) => {
    issuer.asked++;
    answer.writeHead(issuer.status, { 'content-type': 'application/json', location: `${issuer.url}/elsewhere` });
    answer.end(JSON.stringify({ keys: issuer.keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(issuer, {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

const now = (): number => Math.floor(Date.now() / 1000);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('JWTs at the gateway', () => {
  let issuer: Issuer;
  let server: AccessServer;
  let rsa: Keys;
  let other: Keys;

  const settings = (over: Partial<Jwt> = {}): Jwt => ({
    issuer: 'https://login.example',
    audience: 'millrace',
    jwks: issuer.url,
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    roleClaim: 'role',
    allowPrivate: true,
    ...over,
  });
  const open = async (over: Partial<Jwt> = {}): Promise<AccessServer> =>
    await openServer({ definition: definitionOf({ jwt: settings(over) }) });

  const claims = (over: object = {}): JWTPayload => ({
    iss: 'https://login.example',
    aud: 'millrace',
    sub: 'ann',
    role: 'support',
    region: 'eu',
    iat: now(),
    exp: now() + 600,
    ...over,
  });
  const sign = async (payload: JWTPayload, header: object = {}, keys = rsa): Promise<string> =>
    await new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'one', ...header }).sign(keys.privateKey);
  /** Signs whatever header it is given. */
  const signRaw = (header: object, padding: number = constants.RSA_PKCS1_PADDING): string => {
    const signed = `${encode({ alg: 'RS256', kid: 'one', ...header })}.${encode(claims())}`;
    const key = KeyObject.from(rsa.privateKey);
    return `${signed}.${createSign('sha256').update(signed).sign({ key, padding, saltLength: 32 }, 'base64url')}`;
  };
  const status = async (token: string, path = '/api/customers', by = server): Promise<number> => (await by.ask(path, token)).status;

  before(async () => {
    issuer = await openIssuer();
    rsa = await generateKeyPair('RS256', { extractable: true });
    other = await generateKeyPair('RS256', { extractable: true });
    issuer.keys = [{ ...(await exportJWK(rsa.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }];
    server = await open();
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
  });

  // An address that shows many bad tokens is heard no more.
  beforeEach(async () => {
    await server[Symbol.asyncDispose]();
    server = await open();
  });

  it('have no claims that were rounded when they were read: rules would go by another number', async () => {
    const payload = JSON.stringify(claims({ region: 1, teams: [1] }))
      .replace('"region":1', '"region":9007199254740993')
      .replace('[1]', '[9007199254740993]');
    const signed = `${encode({ alg: 'RS256', kid: 'one' })}.${Buffer.from(payload).toString('base64url')}`;
    const signature = createSign('sha256').update(signed).sign(KeyObject.from(rsa.privateKey), 'base64url');
    const { status: answered, body } = await server.ask('/api/customers', `${signed}.${signature}`);
    assert.equal(answered, 200);
    const caller = body['caller'] as { readonly claims: object; readonly identity: string };
    assert.deepEqual(
      Object.keys(caller.claims).filter((name) => name === 'region' || name === 'teams'),
      [],
    );
    assert.equal(caller.identity, '["support",["region"]]');
  });

  it('tell who asks: issuer and subject, role, scopes, and the claims that rules use', async () => {
    const { status: answered, body } = await server.ask('/api/customers', await sign(claims()));
    assert.equal(answered, 200);
    const caller = body['caller'] as Readonly<Record<string, unknown>>;
    assert.equal(caller['id'], 'jwt:https://login.example:ann');
    assert.equal(caller['role'], 'support');
    assert.deepEqual(caller['scopes'], ['api', 'changes']);
    assert.equal(caller['identity'], '["support",["region","eu"]]');
  });

  it('are taken whatever made them, with a right signature', async () => assert.equal(await status(signRaw({})), 200));

  it('are also taken from keys in a file, of elliptic curves, and without a type', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-jwks-'));
    const curve = await generateKeyPair('ES256', { extractable: true });
    const edwards = await generateKeyPair('EdDSA', { extractable: true });
    const file = join(folder, 'jwks.json');
    await writeFile(
      file,
      JSON.stringify({
        keys: [
          { ...(await exportJWK(curve.publicKey)), kid: 'c' },
          { ...(await exportJWK(edwards.publicKey)), kid: 'e' },
        ],
      }),
    );
    await using local = await open({ jwks: file, allowPrivate: false });
    assert.equal(await status(await sign(claims(), { alg: 'ES256', kid: 'c' }, curve), '/api/customers', local), 200);
    assert.equal(await status(await sign(claims(), { alg: 'EdDSA', kid: 'e', typ: 'at+jwt' }, edwards), '/api/customers', local), 200);
    assert.equal(await status(await sign(claims()), '/api/customers', local), 401);
    await rm(folder, { recursive: true });
  });

  describe('are refused', () => {
    const refused: Readonly<Record<string, () => Promise<string>>> = {
      'signed by another key': async () => await sign(claims(), {}, other),
      'of another issuer': async () => await sign(claims({ iss: 'https://login.example.evil' })),
      'without an issuer': async () => await sign(claims({ iss: undefined })),
      'for another audience': async () => await sign(claims({ aud: 'else' })),
      'without an audience': async () => await sign(claims({ aud: undefined })),
      'without a subject': async () => await sign(claims({ sub: undefined })),
      'with an empty subject': async () => await sign(claims({ sub: '' })),
      'without an end': async () => await sign(claims({ exp: undefined })),
      'more than 30 s before their beginning': async () => await sign(claims({ nbf: now() + 40 })),
      'with another algorithm of the same key': async () =>
        await Promise.resolve(signRaw({ alg: 'PS256' }, constants.RSA_PKCS1_PSS_PADDING)),
      'of a key that is none': async () => await sign(claims(), { kid: 'two' }),
      'with a path as name of the key': async () => await sign(claims(), { kid: '../../../../dev/null' }),
      'with SQL as name of the key': async () => await sign(claims(), { kid: "x' UNION SELECT 'key" }),
      'with the address of keys of their own (jku)': async () => await sign(claims(), { jku: issuer.url }),
      'with the address of a certificate (x5u)': async () => await sign(claims(), { x5u: issuer.url }),
      'with a key of their own (jwk)': async () =>
        await sign(claims(), { kid: undefined, jwk: { ...(await exportJWK(other.publicKey)), kty: 'RSA' } }, other),
      'with the right key brought along (jwk)': async () =>
        await sign(claims(), { jwk: { ...(await exportJWK(rsa.publicKey)), kty: 'RSA' } }),
      'with something critical that is unknown': async () => await Promise.resolve(signRaw({ crit: ['exp'], exp: now() })),
      truncated: async () => (await sign(claims())).slice(0, -10),
      'with claims put in later': async () => {
        const [header, , signature] = (await sign(claims())).split('.');
        return `${header}.${encode(claims({ role: 'analyst' }))}.${signature}`;
      },
      'without a signature': async () => (await sign(claims())).replace(/[^.]*$/, ''),
      'of two parts': async () => (await sign(claims())).replace(/\.[^.]*$/, ''),
      'of five parts': async () => `${await sign(claims())}.a.b`,
      'with nothing in them': async () => await Promise.resolve('e30.e30.e30'),
      'of no JSON': async () => await Promise.resolve('a.b.c'),
      huge: async () => await sign(claims({ padding: 'x'.repeat(7_000) })),
    };
    for (const [name, make] of Object.entries(refused)) {
      it(name, async () => {
        const answer = await server.ask('/api/customers', await make());
        assert.equal(answer.status, 401);
        assert.equal(answer.body['detail'], 'The token is not good here.');
      });
    }

    for (const alg of ['none', 'None', 'nOnE', 'NONE', '']) {
      it(`with "${alg}" as signature`, async () => {
        const unsigned = `${encode({ alg, kid: 'one' })}.${encode(claims())}.`;
        assert.equal(await status(unsigned), 401);
        assert.equal(await status(`${unsigned}AA`), 401);
      });
    }

    it('with an algorithm that is not on the list, though their key allows it', async () => {
      await using place = await openIssuer();
      place.keys = [{ ...(await exportJWK(rsa.publicKey)), kid: 'one' }];
      await using listed = await open({ jwks: place.url });
      assert.equal(await status(signRaw({}), '/api/customers', listed), 200);
      assert.equal(await status(signRaw({ alg: 'PS256' }, constants.RSA_PKCS1_PSS_PADDING), '/api/customers', listed), 401);
    });

    it('signed by HMAC with the public key as its secret', async () => {
      const jwk = JSON.stringify(issuer.keys[0]);
      for (const secret of [await exportSPKI(rsa.publicKey), (await exportSPKI(rsa.publicKey)).trim(), jwk]) {
        for (const [alg, digest] of [
          ['HS256', 'sha256'],
          ['HS512', 'sha512'],
          ['RS256', 'sha256'],
        ] as const) {
          const signed = `${encode({ alg, kid: 'one' })}.${encode(claims())}`;
          assert.equal(await status(`${signed}.${createHmac(digest, secret).update(signed).digest('base64url')}`), 401);
        }
      }
    });

    it('signed by HMAC with a secret that the set holds', async () => {
      await using place = await openIssuer();
      const secret = Buffer.alloc(64, 7);
      place.keys = [{ kty: 'oct', k: secret.toString('base64url'), kid: 'one', alg: 'HS256' }];
      await using symmetric = await open({ jwks: place.url });
      const token = await new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret);
      assert.equal(await status(token, '/api/customers', symmetric), 401);
    });
  });

  it('are refused as expired more than 30 s after their end; clients that are late to renew theirs close no address', async () => {
    for (let no = 0; no < 30; no++) {
      const { status: answered, body } = await server.ask('/api/customers', await sign(claims({ exp: now() - 35, sub: `s${no}` })));
      assert.deepEqual([answered, body['detail']], [401, 'The token has expired.']);
    }
    assert.equal(await status(await sign(claims())), 200);
    assert.equal(await status(await sign(claims({ exp: now() - 35 }), {}, other)), 401);
  });

  it('hold 30 s beyond their end and before their beginning, for clocks differ', async () => {
    assert.equal(await status(await sign(claims({ exp: now() - 20 }))), 200);
    assert.equal(await status(await sign(claims({ nbf: now() + 20 }))), 200);
  });

  it('a good one is refused once it has ended, though its signature was found good before', async () => {
    const token = await sign(claims({ exp: now() - 27 }));
    assert.equal(await status(token), 200);
    await until(async () => (await status(token)) === 401, 'end');
  });

  it('may be no older than max_age', async () => {
    await using strict = await open({ maxAge: 60_000 });
    assert.equal(await status(await sign(claims({ iat: now() - 50 })), '/api/customers', strict), 200);
    assert.equal(await status(await sign(claims({ iat: now() - 100 })), '/api/customers', strict), 401);
    assert.equal(await status(await sign(claims({ iat: undefined })), '/api/customers', strict), 401);
  });

  it('without a role, with one that is no name or none of the project, read nothing', async () => {
    for (const role of [undefined, ['support'], 7, null, { support: true }, 'admin', 'toString', '__proto__', '']) {
      assert.equal(await status(await sign(claims({ role }))), 403, JSON.stringify(role));
    }
    await using named = await open({ roleClaim: 'https://example/role' });
    assert.equal(await status(await sign(claims()), '/api/customers', named), 403);
    assert.equal(await status(await sign(claims({ 'https://example/role': 'analyst' })), '/api/customers', named), 200);
  });

  it('are limited by their scopes where they name any', async () => {
    const answers = async (scope: unknown): Promise<readonly number[]> => {
      const token = await sign(claims({ scope }));
      return [
        await status(token),
        await status(token, '/api/orders'),
        await status(token, '/changes'),
        await status(token, '/ingest/clicks'),
      ];
    };
    assert.deepEqual(await answers(undefined), [200, 200, 200, 403]);
    assert.deepEqual(await answers('openid api:customers profile'), [200, 403, 403, 403]);
    assert.deepEqual(await answers('ingest'), [403, 403, 403, 200]);
    assert.deepEqual(await answers('openid'), [403, 403, 403, 403]);
    assert.deepEqual(await answers(''), [403, 403, 403, 403]);
    assert.deepEqual(await answers(['api']), [403, 403, 403, 403]);
  });

  describe('keys', () => {
    it('that can’t be read: nobody knows, 503', async () => {
      await using place = await openIssuer();
      place.status = 500;
      await using waiting = await open({ jwks: place.url });
      const token = await sign(claims());
      const { status: answered, headers } = await waiting.ask('/api/customers', token);
      assert.deepEqual([answered, headers.get('retry-after')], [503, '2']);
      place.status = 302;
      assert.equal(await status(token, '/api/customers', waiting), 503);
      place.status = 200;
      place.keys = issuer.keys;
      await until(async () => (await status(token, '/api/customers', waiting)) === 200, 'keys');
    });

    it('that were read go on when the issuer is away', async () => {
      await using place = await openIssuer();
      place.keys = issuer.keys;
      await using running = await open({ jwks: place.url });
      assert.equal(await status(await sign(claims()), '/api/customers', running), 200);
      place.status = 500;
      assert.equal(await status(await sign(claims({ sub: 'another' })), '/api/customers', running), 200);
    });

    it('are asked for once by many requests, and made-up names of keys lead to no flood', async () => {
      await using place = await openIssuer();
      place.keys = issuer.keys;
      await using running = await open({ jwks: place.url });
      const tokens = await Promise.all(Array.from({ length: 10 }, async (_, no) => await sign(claims({ sub: `s${no}` }))));
      await Promise.all(tokens.map(async (token) => assert.equal(await status(token, '/api/customers', running), 200)));
      for (let no = 0; no < 10; no++) assert.equal(await status(await sign(claims(), { kid: `k${no}` }), '/api/customers', running), 401);
      assert.equal(place.asked, 1);
    });

    it('lead into no private network, and come over TLS, unless that is allowed', async () => {
      const opened = (jwks: string): AsyncDisposable =>
        openAccess({ definition: definitionOf({ jwt: settings({ jwks, allowPrivate: false }) }), books: new MemoryBooks(), log: silent });
      assert.throws(() => opened('http://login.example/jwks'), { code: 'config' });
      await using guarded = await open({ jwks: issuer.url.replace('http:', 'https:'), allowPrivate: false });
      const before = issuer.asked;
      assert.equal(await status(await sign(claims()), '/api/customers', guarded), 503);
      assert.equal(issuer.asked, before);
    });
  });
});
