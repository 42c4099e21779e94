import type { FastifyInstance } from 'fastify';

/** Pages and their files come from here alone, and no other page may frame them; `more` is what a page needs besides. */
export const pagePolicy = (...more: readonly string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    ...more,
  ].join('; ');
const dataPolicy = "default-src 'none'; frame-ancestors 'none'";

const always = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const forAll = { ...always, 'cache-control': 'no-store', 'content-security-policy': dataPolicy, vary: 'origin' };
const forApis = { ...forAll, 'cache-control': 'private, no-cache', vary: 'authorization, accept, origin' };
const forPages = { ...forAll, 'cache-control': 'public, max-age=3600', 'content-security-policy': pagePolicy() };

/** Headers of safety on each answer; what a route sets itself stays. */
export function addHeaders(server: FastifyInstance, { isSecure }: { readonly isSecure: boolean }): void {
  server.addHook('onRequest', (request, reply, done) => {
    const kind = request.routeOptions.config.access?.kind;
    void reply.headers(kind === 'page' ? forPages : kind === 'api' ? forApis : forAll).header('x-request-id', request.id);
    if (isSecure) void reply.header('strict-transport-security', 'max-age=31536000');
    done();
  });
}
