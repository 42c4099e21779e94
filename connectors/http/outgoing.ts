import { ExactNumber, jsonText } from '../../schema/value.ts';
import type { Credentials } from './authorizer.ts';
import type { HttpRequest } from './client.ts';
import type { OutgoingRequest } from './stores.ts';

function holdsExact(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof ExactNumber) return true;
  // In every request: without making arrays of what is looked through.
  for (const name in value) if (holdsExact(value[name as keyof typeof value])) return true;
  return false;
}

function bodyOf({ body, text }: HttpRequest): { readonly body: string | undefined; readonly type: string | undefined } {
  if (text !== undefined) return { body: text.body, type: text.type };
  if (body === undefined) return { body: undefined, type: undefined };
  return { body: holdsExact(body) ? jsonText(body) : JSON.stringify(body), type: 'application/json' };
}

function lowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** A request without its address and credentials, put together once for all times that it is sent. */
export type Prepared = Pick<OutgoingRequest, 'method' | 'headers' | 'body'>;

export function prepare(request: HttpRequest, headers: Readonly<Record<string, string>> = {}): Prepared {
  const { body, type } = bodyOf(request);
  return {
    method: request.method,
    headers: {
      accept: request.expects === 'text' ? '*/*' : 'application/json',
      ...(type === undefined ? {} : { 'content-type': type }),
      ...lowerCase(headers),
      ...lowerCase(request.headers),
    },
    body,
  };
}

/** The request with the address and what authorizes it there. */
export function authorized(prepared: Prepared, url: URL, { headers, query }: Credentials): OutgoingRequest {
  const address = new URL(url);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  return { ...prepared, url: address.href, headers: { ...prepared.headers, ...headers } };
}

const alwaysSecret = ['authorization', 'proxy-authorization', 'cookie'];

/** The request for another origin: without anything that is secret. */
export function stripped(prepared: Prepared, url: URL, secretHeaders: readonly string[]): OutgoingRequest {
  const secrets = new Set([...alwaysSecret, ...secretHeaders.map((name) => name.toLowerCase())]);
  const headers = Object.fromEntries(Object.entries(prepared.headers).filter(([name]) => !secrets.has(name)));
  return { ...prepared, url: url.href, headers };
}

/** The request as it may be shown: `[secret]` in place of secrets. */
export function shown(request: OutgoingRequest, { headers, query }: Credentials, secretHeaders: readonly string[]): OutgoingRequest {
  const secrets = new Set([...alwaysSecret, ...Object.keys(headers), ...secretHeaders.map((name) => name.toLowerCase())]);
  const url = new URL(request.url);
  for (const name of Object.keys(query)) url.searchParams.set(name, '[secret]');
  const masked = Object.entries(request.headers).map(([name, value]): [string, string] => [name, secrets.has(name) ? '[secret]' : value]);
  return { ...request, url: url.href, headers: Object.fromEntries(masked) };
}
