import { MillraceError } from '../../schema/errors.ts';
import type { HttpAnswer } from './client.ts';

interface Target {
  readonly method: string;
  readonly url: URL;
  readonly body: string | undefined;
}

const keepsMethod: ReadonlySet<number> = new Set([307, 308]);

/**
 * Where a redirect leads. Throws `config` where it must not be followed: the request isn't repeatable, the method would change, or it leads to no
 * address or from https to http.
 */
export function redirected(answer: HttpAnswer, from: Target, mayFollow: boolean, what: string): Target {
  const { status, headers } = answer;
  const refused = (why: string): MillraceError =>
    new MillraceError('config', `${what}: HTTP ${status} redirects ${why}; give the final address as the connection's url`);
  const location = headers['location'] ?? '';
  if (location === '' || !URL.canParse(location, from.url.href)) throw refused('to no address');
  const url = new URL(location, from.url);
  if (!mayFollow) throw refused(`to ${url.host}`);
  if (from.url.protocol === 'https:' && url.protocol !== 'https:') throw refused('from https to http');
  if (status === 303) return { method: 'GET', url, body: undefined };
  if (from.method !== 'GET' && !keepsMethod.has(status)) throw refused(`a ${from.method}`);
  return { ...from, url };
}
