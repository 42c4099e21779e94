import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { accepted, parseDuration } from '../../schema/quantity.ts';
import type { SignatureSettings } from '../../schema/signature.ts';
import { Problem } from '../problem.ts';

/** What was posted, byte for byte. */
export interface SignedRequest {
  readonly method: string;
  /** Path with its query, as it was asked for. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const defaultTolerance = 300_000;

/** Says no more than this, whatever is wrong: a sender knows his secret, others need no hints. */
const refused = (): Problem => new Problem(401, 'Signature refused', 'The signature is missing, wrong or too old.');

function header({ headers }: SignedRequest, name: string): string {
  const value = headers[name.toLowerCase()];
  if (typeof value !== 'string' || value === '') throw refused();
  return value;
}

function digest(algorithm: string, secret: string, parts: readonly (string | Buffer)[]): Buffer {
  const hmac = createHmac(algorithm, secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

function equal(expected: Buffer, given: Buffer): boolean {
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
}

function requireRecent(moment: number, { tolerance }: SignatureSettings, { now }: SignedRequest): void {
  const most = tolerance === undefined ? defaultTolerance : accepted(parseDuration, tolerance);
  if (!Number.isFinite(moment) || Math.abs(now - moment) > most) throw refused();
}

/** https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
function github({ secret }: SignatureSettings, request: SignedRequest): void {
  const [, hex = ''] = /^sha256=([0-9a-f]{64})$/i.exec(header(request, 'x-hub-signature-256')) ?? [];
  if (!equal(digest('sha256', secret, [request.body]), Buffer.from(hex, 'hex'))) throw refused();
}

/** https://docs.stripe.com/webhooks#verify-manually: `t=<seconds>,v1=<hex>`, perhaps with several `v1` while a secret rotates. */
function stripe(settings: SignatureSettings, request: SignedRequest): void {
  const parts = header(request, 'stripe-signature')
    .split(',')
    .map((part) => part.trim().split('='));
  const time = parts.find(([name]) => name === 't')?.[1] ?? '';
  const signatures = parts.flatMap(([name, value = '']) => (name === 'v1' && /^[0-9a-f]{64}$/i.test(value) ? [value] : []));
  if (!/^\d{1,12}$/.test(time)) throw refused();
  const expected = digest('sha256', settings.secret, [`${time}.`, request.body]);
  if (!signatures.some((hex) => equal(expected, Buffer.from(hex, 'hex')))) throw refused();
  requireRecent(Number(time) * 1000, settings, request);
}

/** Characters of an address that HubSpot decodes before it signs. */
const decodings: readonly (readonly [string, string])[] = [
  ['%3A', ':'],
  ['%2F', '/'],
  ['%3F', '?'],
  ['%40', '@'],
  ['%21', '!'],
  ['%24', '$'],
  ['%27', "'"],
  ['%28', '('],
  ['%29', ')'],
  ['%2A', '*'],
  ['%2C', ','],
  ['%3B', ';'],
];

const decodedAddress = (address: string): string =>
  decodings.reduce((text, [code, character]) => text.replaceAll(new RegExp(code, 'gi'), () => character), address);

/** https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests: base64 HMAC of method, address, body and timestamp. */
function hubspot(settings: SignatureSettings, request: SignedRequest): void {
  const time = header(request, 'x-hubspot-request-timestamp');
  const given = header(request, 'x-hubspot-signature-v3');
  if (!/^\d{1,15}$/.test(time)) throw refused();
  const address = settings.url ?? `https://${request.headers.host ?? ''}${request.path}`;
  const expected = digest('sha256', settings.secret, [request.method, decodedAddress(address), request.body, time]);
  if (!equal(expected, Buffer.from(given, 'base64'))) throw refused();
  requireRecent(Number(time), settings, request);
}

/** An HMAC of the body alone, perhaps behind the digest's name (`sha256=…`). */
function hmac(settings: SignatureSettings, request: SignedRequest): void {
  const { algorithm = 'sha256', encoding = 'hex' } = settings;
  const given = header(request, settings.header ?? 'x-signature').replace(new RegExp(`^${algorithm}=`, 'i'), '');
  const form = encoding === 'hex' ? /^[0-9a-f]+$/i : /^[A-Za-z0-9+/]+=*$/;
  if (!form.test(given)) throw refused();
  if (!equal(digest(algorithm, settings.secret, [request.body]), Buffer.from(given, encoding))) throw refused();
}

const kinds: Readonly<Record<SignatureSettings['kind'], (settings: SignatureSettings, request: SignedRequest) => void>> = {
  github,
  stripe,
  hubspot,
  hmac,
};

/** Checks that a request was signed with the secret, lately where the sender signs the moment too. Throws 401, which says no more. */
export function verifySignature(settings: SignatureSettings, request: SignedRequest): void {
  kinds[settings.kind](settings, request);
}
