import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { MillraceError } from '../../schema/errors.ts';
import type { GatewayLog } from '../context.ts';

interface Files {
  readonly cert: string;
  readonly key: string;
}

const oldest = 'TLSv1.2';

async function read({ cert, key }: Files): Promise<SecureContextOptions> {
  const [certificate, privateKey] = await Promise.all([readFile(cert), readFile(key)]);
  const options: SecureContextOptions = { cert: certificate, key: privateKey, minVersion: oldest };
  // OpenSSL takes pairs of different types (RSA, EC), and every handshake fails then.
  const [leaf, secret] = [new X509Certificate(certificate), createPrivateKey(privateKey)];
  if (!leaf.checkPrivateKey(secret)) throw new Error("the certificate is not the key's: the two don't belong together");
  createSecureContext(options);
  return options;
}

/** Certificate and key as a server wants them. Throws `config` naming the files. */
export async function readCertificate(files: Files): Promise<SecureContextOptions> {
  try {
    return await read(files);
  } catch (error) {
    throw new MillraceError('config', `gateway.tls: ${files.cert} and ${files.key} can not be used: ${reason(error)}`, { cause: error });
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Changes with the files, also where a name is a link to another file now. */
async function stampOf({ cert, key }: Files): Promise<string> {
  const stats = await Promise.all([stat(cert, { bigint: true }), stat(key, { bigint: true })]);
  return stats.map(({ mtimeNs, ino, size }) => `${mtimeNs} ${ino} ${size}`).join(' ');
}

/** Takes up a new certificate within seconds; a bad one is logged and the one in use stays. */
export async function watchCertificate(
  files: Files,
  use: (options: SecureContextOptions) => void,
  log: GatewayLog,
  interval = 2000,
): Promise<Disposable> {
  let last = await stampOf(files);
  let refused: string | undefined;
  const look = async (): Promise<void> => {
    try {
      const stamp = await stampOf(files);
      if (stamp === last) return;
      use(await read(files));
      last = stamp;
      refused = undefined;
      log.info({ cert: files.cert }, 'took up the new certificate');
    } catch (error) {
      // Half of a pair may be there yet: it is looked at again, and told of once.
      if (refused !== reason(error))
        log.error({ cert: files.cert, reason: reason(error) }, 'the new certificate can not be used; the old one stays');
      refused = reason(error);
    }
  };
  const timer = setInterval(() => void look(), interval);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
