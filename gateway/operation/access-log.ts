import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GatewayLog } from '../context.ts';
import type { Metrics } from './metrics.ts';

/** A line and the counts of each request: by the route's pattern, never by its path or parameters. */
export function logAccess(server: FastifyInstance, log: GatewayLog, metrics: Metrics): void {
  const meters = newMeters(metrics);
  server.addHook('onRequest', (request, _reply, done) => {
    request.noted = {};
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    note(request, reply, log, meters);
    done();
  });
  server.addHook('onRequestAbort', (request, done) => {
    request.noted.gone = true;
    done();
  });
}

/** Bytes of the body; of a stream its own note counts. */
function bytesOf({ method }: FastifyRequest, reply: FastifyReply): number {
  const length = method === 'HEAD' ? 0 : Number(reply.getHeader('content-length') ?? 0);
  return Number.isFinite(length) ? length : 0;
}

interface Meter {
  readonly count: () => void;
  readonly time: (seconds: number) => void;
}

type MeterOf = (method: string, route: string, status: number, api: string | undefined) => Meter;

/** Counts of requests by route, status and API: as many as the project has of these. */
function newMeters(metrics: Metrics): MeterOf {
  const meters = new Map<string, Meter>();
  return (method, route, status, api) => {
    const key = `${method} ${route} ${status} ${api ?? ''}`;
    const known = meters.get(key);
    if (known !== undefined) return known;
    const labels = { method, route, status: `${status}`, ...(api === undefined ? {} : { api }) };
    const meter = { count: metrics.counter('requests_total', labels), time: metrics.timer('request_seconds', { route }) };
    meters.set(key, meter);
    return meter;
  };
}

function note(request: FastifyRequest, reply: FastifyReply, log: GatewayLog, meters: MeterOf): void {
  const { method, noted } = request;
  const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
  const { statusCode: status, elapsedTime } = reply;
  const meter = meters(method, route, status, noted.api);
  meter.count();
  meter.time(elapsedTime / 1000);
  log.info(
    {
      method,
      route,
      status,
      ms: Math.round(elapsedTime * 10) / 10,
      bytes: bytesOf(request, reply),
      // Undefined where no token was asked for.
      caller: callerOf(request),
      ...noted,
      request: request.id,
    },
    'request',
  );
}

const callerOf = (request: Partial<Pick<FastifyRequest, 'caller'>>): string | undefined => request.caller?.id;
