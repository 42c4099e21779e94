import type { IncomingMessage } from 'node:http';
import { Problem } from '../problem.ts';

const longest = 8 * 1024;
const form = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** 401; the detail is the same whatever is wrong with a token, but for those whose secret was right. */
export const unauthorized = (detail: string, error?: 'invalid_token'): Problem =>
  new Problem(401, 'Unauthorized', detail, {
    headers: { 'www-authenticate': `Bearer realm="millrace"${error === undefined ? '' : `, error="${error}"`}` },
  });

export const notGood = (): Problem => unauthorized('The token is not good here.', 'invalid_token');

/** The token of the header `Authorization`, the only place for it; undefined without that header. Throws 400 for two of them, 401 for what is no bearer token. */
export function bearerOf({ headers, rawHeaders }: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  let given = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 13 && name.toLowerCase() === 'authorization') given += 1;
  }
  if (given > 1) throw new Problem(400, 'Bad request', 'There is more than one header Authorization.');
  const token = authorization.length > longest ? undefined : form.exec(authorization)?.[1];
  if (token === undefined) throw notGood();
  return token;
}
