import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { MillraceError } from '../../schema/errors.ts';

const notPublic = new BlockList();

/** IPv4 that isn't global unicast: https://www.iana.org/assignments/iana-ipv4-special-registry */
const reserved4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];
/** Inside 2000::/3, what tunnels to IPv4 or is for documentation. */
const reserved6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];
for (const [net, prefix] of reserved4) notPublic.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of reserved6) notPublic.addSubnet(net, prefix, 'ipv6');

const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');

/** Is an address of the public Internet? Loopback, private, link-local, shared and mapped addresses are not. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !notPublic.check(address, 'ipv4');
    case 6:
      return global6.check(address, 'ipv6') && !notPublic.check(address, 'ipv6');
    default:
      return false;
  }
}

/** What a guard needs to know; `lookup` and `isPublic` are those of the system but in tests. */
export interface Egress {
  /** The connection's name, for messages. */
  readonly name: string;
  readonly allowPrivate: boolean;
  readonly lookup?: typeof systemLookup;
  readonly isPublic?: (address: string) => boolean;
}

function refusal(name: string): MillraceError {
  return new MillraceError(
    'config',
    `connection ${name}: its url leads to a private network; set allow_private: true on the connection if that is meant`,
  );
}

/** Refuses what isn't http or https, or whose host is an address that isn't public; names are checked when they are looked up. Throws `config`. */
export function checkUrl(url: URL, { name, allowPrivate, isPublic = isPublicAddress }: Egress): void {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new MillraceError('config', `connection ${name}: a url must begin with https:// or http://`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!allowPrivate && isIP(host) !== 0 && !isPublic(host)) throw refusal(name);
}

/** A lookup that the socket itself uses, so that the address that was checked is the one that is connected to. */
export function guardedLookup({ name, allowPrivate, lookup = systemLookup, isPublic = isPublicAddress }: Egress): LookupFunction {
  return (host, options, callback) => {
    const all: LookupOptions & { all: true } = { ...options, all: true };
    lookup(host, all, (error, addresses) => {
      if (error !== null) return callback(error, '', 0);
      const [first] = addresses;
      const isRefused = ({ address }: LookupAddress): boolean => !allowPrivate && !isPublic(address);
      if (first === undefined || addresses.some(isRefused)) return callback(refusal(name), '', 0);
      if (options.all === true) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}
