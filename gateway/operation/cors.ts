import type { FastifyInstance } from 'fastify';

const readableHeaders = 'etag, link, retry-after, ratelimit, ratelimit-policy, x-request-id';
const day = 86_400;

/** Lets browsers of these origins call, exactly these; all others get no word of it. Preflights need no token: they have none. */
export function answerCors(server: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const known = new Set(origins);
  server.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    if (origin === undefined || !known.has(origin)) return done();
    void reply.header('access-control-allow-origin', origin).header('access-control-expose-headers', readableHeaders);
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return done();
    void reply
      .code(204)
      .header('access-control-allow-methods', 'GET, HEAD, POST')
      .header('access-control-allow-headers', 'authorization, content-type, accept, if-none-match, idempotency-key, last-event-id')
      .header('access-control-max-age', `${day}`)
      .send();
  });
}
