import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import { promisify } from 'node:util';
import { MillraceError } from '../../schema/errors.ts';
import { openTestGateway, until, type TestGatewaySettings } from '../gateway-kit.ts';

const run = promisify(execFile);
const tables = 'CREATE TABLE marts.t (id int PRIMARY KEY)';
const apis = { t: { dataset: 'marts.t', key: 'id', roles: { reader: { fields: 'all' } } } };

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const types = { ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'], rsa: ['-newkey', 'rsa:2048'] } as const;

async function makeCertificate(folder: string, name: string, type: keyof typeof types = 'ec'): Promise<Pair> {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run('openssl', ['req', '-x509', ...types[type], '-nodes', '-keyout', key, '-out', cert, '-days', '2', ...subject]);
  return { cert, key };
}

/** The name in the certificate that a new connection is shown, and the version of TLS. */
async function shown(address: string, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ port: Number(new URL(address).port), host: '127.0.0.1', rejectUnauthorized: false, ...options });
  try {
    await once(socket, 'secureConnect');
    return `${String(socket.getPeerCertificate().subject.CN)} ${socket.getProtocol() ?? ''}`;
  } finally {
    socket.destroy();
  }
}

describe('HTTPS of the gateway', function () {
  let folder: string;
  let first: Pair;
  let second: Pair;
  let rsa: Pair;
  const used = (): Pair => ({ cert: join(folder, 'used.crt'), key: join(folder, 'used.key') });

  async function use({ cert, key }: Pair): Promise<void> {
    for (const [from, to] of [
      [cert, used().cert],
      [key, used().key],
    ] as const) {
      await writeFile(`${to}.new`, await readFile(from));
      await rename(`${to}.new`, to);
    }
  }

  const settings = (): TestGatewaySettings => ({ tables, apis, gateway: { tls: used() } });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-tls-'));
    first = await makeCertificate(folder, 'first');
    second = await makeCertificate(folder, 'second');
    rsa = await makeCertificate(folder, 'rsa', 'rsa');
  });
  after(async () => await rm(folder, { recursive: true, force: true }));
  beforeEach(async () => await use(first));

  it('takes up a new certificate without a stop, and keeps the old one when the new one is bad', async () => {
    await using gateway = await openTestGateway(settings());
    assert.match(gateway.address, /^https:/);
    assert.equal(await shown(gateway.address), 'first TLSv1.3');
    await use(second);
    await until(async () => (await shown(gateway.address)) === 'second TLSv1.3');
    // A certificate that the key doesn't belong to.
    await use({ cert: first.cert, key: second.key });
    await until(() => gateway.log.some(({ message }) => message.startsWith('the new certificate can not be used')));
    assert.equal(await shown(gateway.address), 'second TLSv1.3');
    await use(first);
    await until(async () => (await shown(gateway.address)) === 'first TLSv1.3');
  });

  it('does not take up a certificate of another type than the key', async () => {
    await using gateway = await openTestGateway(settings());
    await use({ cert: rsa.cert, key: first.key });
    await until(() => gateway.log.some(({ message }) => message.startsWith('the new certificate can not be used')));
    assert.equal(await shown(gateway.address), 'first TLSv1.3');
    await use(rsa);
    await until(async () => (await shown(gateway.address)) === 'rsa TLSv1.3');
  });

  it('speaks TLS 1.2 and no older one', async () => {
    await using gateway = await openTestGateway(settings());
    assert.equal(await shown(gateway.address, { maxVersion: 'TLSv1.2' }), 'first TLSv1.2');
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await assert.rejects(shown(gateway.address, old));
  });

  it('says which files can not be used when it opens', async () => {
    for (const { cert } of [first, rsa]) {
      await use({ cert, key: second.key });
      await assert.rejects(openTestGateway(settings()), (error: unknown) => {
        assert.ok(error instanceof MillraceError);
        assert.equal(error.code, 'config');
        assert.match(error.message, /used\.crt and .*used\.key can not be used: .*belong together/);
        return true;
      });
    }
  });
});
