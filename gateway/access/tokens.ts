import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Secret scanners find it by `mr_[0-9A-Za-z]{13}_[0-9A-Za-z]{43}`. */
const form = /^mr_([0-9A-Za-z]{13})_([0-9A-Za-z]{43})$/;
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export interface MadeToken {
  /** Shown once, to whoever asked for it. */
  readonly token: string;
  readonly id: string;
  /** SHA-256 of the secret part, hex: all that is kept. */
  readonly hash: string;
}

/** A token for the gateway, `mr_<id>_<secret>`, with 256 random bits in its secret. */
export function newToken(): MadeToken {
  const id = randomDigits(9, 13);
  const secret = randomDigits(32, 43);
  return { token: `mr_${id}_${secret}`, id, hash: digest(secret).toString('hex') };
}

/** Its parts; undefined for what isn't such a token. */
export function parseToken(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret] = form.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

const none = Buffer.alloc(32);

/** Compares in the same time whatever differs, also where there is no hash to compare with. */
export function isSecretOf(secret: string, bookedHash: string | undefined): boolean {
  const booked = Buffer.from(bookedHash ?? '', 'hex');
  const isHash = booked.length === none.length;
  return timingSafeEqual(digest(secret), isHash ? booked : none) && isHash;
}

const digest = (secret: string): Buffer => hash('sha256', secret, 'buffer');

function randomDigits(bytes: number, length: number): string {
  let value = BigInt(`0x${randomBytes(bytes).toString('hex')}`);
  let text = '';
  for (; text.length < length; value /= 62n) text = `${digits[Number(value % 62n)]}${text}`;
  return text;
}
