import { MillraceError } from '../../schema/errors.ts';
import type { HttpRequest } from './client.ts';

/** Segments that are likely to be names of an API's parts: words, versions (`v3`, `v60.0`) and dated versions. */
const plain = /^(?:v\d+(?:\.\d+)*|\d{4}-\d{2}(?:-\d{2})?|[a-z][a-z_.-]{0,40}|[A-Z][A-Za-z_.-]{0,40}|[a-z]+(?:[A-Z][a-z]+)+)$/;

/** A request's path for messages: without parameters, and without segments that look like values. */
export function routeOf({ path, route }: Pick<HttpRequest, 'path' | 'route'>): string {
  if (route !== undefined) return route;
  const pathname = URL.canParse(path) ? new URL(path).pathname : (path.split(/[?#]/)[0] ?? '');
  const segments = pathname.split('/').map((segment) => (segment === '' || plain.test(segment) ? segment : '…'));
  return `/${segments.join('/').replace(/^\/+/, '')}`;
}

/** The URL of a request, below the base or absolute. Throws `config` for one that isn't a URL, `rejected` for a path with a segment `.` or `..`. */
export function urlOf(base: string, { path, query }: HttpRequest, what: string): URL {
  const text = /^https?:\/\//i.test(path) ? path : `${base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`;
  const pathname = text.split(/[?#]/)[0] ?? '';
  if (/[/\\](?:\.|%2e){1,2}(?:[/\\]|$)/i.test(pathname)) {
    throw new MillraceError('rejected', `${what}: a value in the path is "." or "..", which would lead elsewhere`);
  }
  if (!URL.canParse(text)) throw new MillraceError('config', `${what}: its url is not one; check the connection's url`);
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw new MillraceError('config', `${what}: its url must not hold user or password; give them in auth`);
  }
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}
