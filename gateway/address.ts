import { parse, type ParsedUrlQuery } from 'node:querystring';

/** The parameters of an address; the server itself reads none, as REST reads its own. */
export function queryOf({ url }: { readonly url: string }): ParsedUrlQuery {
  const at = url.indexOf('?');
  return at < 0 ? {} : parse(url.slice(at + 1));
}
