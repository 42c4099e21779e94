import type { HttpRequest } from '../http/client.ts';
import type { RequestDeclaration } from './declaration.ts';
import { compileJson, compilePath, compileTexts, type Scope } from './render.ts';

/** A declared request, ready to be filled. */
export type FillRequest = (scope: Scope, headers?: Readonly<Record<string, string>>) => HttpRequest;

/** `repeatable`: it changes nothing. `expects`: what an answer under 200 must hold. */
export function compileRequest(
  declared: RequestDeclaration,
  { repeatable, expects }: { readonly repeatable: boolean; readonly expects: NonNullable<HttpRequest['expects']> },
): FillRequest {
  const path = compilePath(declared.path);
  const query = compileTexts(declared.query);
  const headers = compileTexts(declared.headers);
  const body = declared.body === undefined ? undefined : compileJson(declared.body);
  const form = declared.form === undefined ? undefined : compileTexts(declared.form);
  return (scope, more = {}) => ({
    method: declared.method,
    path: path(scope),
    route: declared.path.replaceAll(/\{\{.*?\}\}/gs, '{…}'),
    query: query(scope),
    headers: { ...headers(scope), ...more },
    ...(body === undefined ? {} : { body: body(scope) ?? null }),
    ...(form === undefined
      ? {}
      : { text: { type: 'application/x-www-form-urlencoded', body: new URLSearchParams(form(scope)).toString() } }),
    repeatable,
    expects,
  });
}
