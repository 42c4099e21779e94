import { createHmac } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** The network that counts as one caller: an IPv4 address, or the /64 that an IPv6 host can choose its address from. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isIPv4(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  const groups = [...before, ...zeros, ...after].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${groups.join(':')}::/64`;
}

/** One of 65,536 counters, so that no number of addresses fills the memory. Nobody outside knows which addresses share one. */
export const bucketOf = (address: string, salt: Buffer): string =>
  createHmac('sha256', salt).update(networkOf(address)).digest('hex').slice(0, 4);
