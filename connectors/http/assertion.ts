import { createPrivateKey, randomUUID, sign, type KeyObject } from 'node:crypto';
import { MillraceError } from '../../schema/errors.ts';
import type { AuthSettings } from './settings.ts';

type JwtSettings = Extract<AuthSettings, { type: 'jwt-bearer' }>;

/** Seconds that an assertion is good for: authorization servers take three to five minutes. */
const lifetime = 180;

function privateKey({ private_key: pem, algorithm }: JwtSettings, name: string): KeyObject {
  try {
    // Environment variables and YAML often hold the line ends as backslash and n.
    const key = createPrivateKey(pem.replaceAll('\\n', '\n'));
    const fits = algorithm === 'RS256' ? key.asymmetricKeyType === 'rsa' : key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
    if (fits) return key;
  } catch {
    // The library's message could hold a piece of the key.
  }
  const kind = algorithm === 'RS256' ? 'an RSA key' : 'a key of the curve P-256';
  throw new MillraceError('config', `connection ${name}: auth.private_key is not ${kind} as PEM without a password`);
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A signed assertion (RFC 7523) that is exchanged for a token. Throws `config` when the key isn't one. */
export function signAssertion(settings: JwtSettings, name: string, now: number): string {
  const { issuer, subject, audience, algorithm, scope } = settings;
  const issued = Math.floor(now / 1000);
  const claims = { iss: issuer, sub: subject, aud: audience, scope, iat: issued, exp: issued + lifetime, jti: randomUUID() };
  const content = `${encoded({ alg: algorithm, typ: 'JWT' })}.${encoded(claims)}`;
  const signature = sign('sha256', Buffer.from(content), { key: privateKey(settings, name), dsaEncoding: 'ieee-p1363' });
  return `${content}.${signature.toString('base64url')}`;
}
