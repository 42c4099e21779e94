import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GatewayLog } from '../context.ts';
import type { Metrics } from './metrics.ts';

/** A line and the counts of each request: by the route's pattern, never by its path or parameters. */
export function logAccess(server: FastifyInstance, log: GatewayLog, metrics: Metrics): void {
  server.addHook('onRequest', (request, _reply, done) => {
    request.noted = {};
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    note(request, reply, reply.statusCode, log, metrics);
    done();
  });
  server.addHook('onRequestAbort', (request, done) => {
    request.noted.gone = true;
    done();
  });
}

const bytesOf = (reply: FastifyReply): number | undefined => {
  const length = Number(reply.getHeader('content-length'));
  return Number.isFinite(length) ? length : undefined;
};

function note(request: FastifyRequest, reply: FastifyReply, status: number, log: GatewayLog, metrics: Metrics): void {
  const { method, noted } = request;
  const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
  const milliseconds = Math.round(reply.elapsedTime * 10) / 10;
  const labels = { method, route, status: `${status}`, ...(noted.api === undefined ? {} : { api: noted.api }) };
  metrics.count('requests_total', labels);
  metrics.observe('request_seconds', { route }, reply.elapsedTime / 1000);
  log.info(
    {
      method,
      route,
      status,
      ms: milliseconds,
      bytes: bytesOf(reply),
      // Undefined where no token was asked for.
      caller: callerOf(request),
      ...noted,
      request: request.id,
    },
    'request',
  );
}

const callerOf = (request: Partial<Pick<FastifyRequest, 'caller'>>): string | undefined => request.caller?.id;
