import { randomUUID } from 'node:crypto';
import { createServer as createHttp, STATUS_CODES, type Server, type ServerOptions } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { GatewayDefinition } from '../schema/gateway-definition.ts';
import type { GatewayLog } from './context.ts';
import { answerWrongMethods } from './operation/methods.ts';
import { problemBody, problemOf } from './operation/failures.ts';
import { Problem } from './problem.ts';

/** Milliseconds. */
export interface ServerTimes {
  /** For all headers of a request. */
  readonly headers: number;
  /** For all of a request. */
  readonly request: number;
  /** Between requests of a connection. */
  readonly idle: number;
  /** Without a byte in either direction. */
  readonly silence: number;
}

const serverTimes: ServerTimes = { headers: 10_000, request: 30_000, idle: 65_000, silence: 60_000 };

/** The first row of what is sorted may take as long as the warehouse may: nobody is cut off before. */
export const timesFor = ({ timeout, exportTimeout }: Pick<GatewayDefinition, 'timeout' | 'exportTimeout'>): ServerTimes => ({
  ...serverTimes,
  silence: serverTimes.silence + Math.max(timeout, exportTimeout),
});

const problemType = 'application/problem+json; charset=utf-8';
const longestHeaders = 16 * 1024;
const longestParameter = 1024;
const noParameters = Object.freeze({});

export interface CreatedServer {
  readonly server: FastifyInstance;
  /** All that listen: a name such as `localhost` may have two addresses. */
  readonly sockets: readonly Server[];
  /** Takes a new certificate for connections from now on. */
  readonly useCertificate: (options: SecureContextOptions) => void;
}

const unreadableBody = { code: 'FST_ERR_UNREADABLE', statusCode: 400 };

const unreadable: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_INVALID_METHOD: 405 };

/** What Node answers where no request could be read. */
function refuseUnreadable(
  error: NodeJS.ErrnoException,
  socket: NodeJS.WritableStream & { readonly writable: boolean; destroy(): void },
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
  const status = unreadable[error.code ?? ''] ?? 400;
  const problem = problemOf({ code: 'FST_ERR_UNREADABLE', statusCode: status }) ?? new Problem(status, 'Bad request', '');
  const body = problemBody(problem);
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      `content-type: ${problemType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'x-content-type-options: nosniff',
      'cache-control: no-store',
      ...(status === 405 ? ['allow: GET, HEAD, OPTIONS, POST'] : []),
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

/** A server that answers all that goes wrong as a problem, and that no slow or large request can hold up. */
export function createServer(
  { behindProxy, bodyBytes }: Pick<GatewayDefinition, 'behindProxy' | 'bodyBytes'>,
  certificate: SecureContextOptions | undefined,
  log: GatewayLog,
  times: ServerTimes = serverTimes,
): CreatedServer {
  const sockets: Server[] = [];
  const secured: { setSecureContext(options: SecureContextOptions): void }[] = [];
  const limits: ServerOptions = {
    maxHeaderSize: longestHeaders,
    headersTimeout: times.headers,
    requestTimeout: times.request,
    keepAliveTimeout: times.idle,
    connectionsCheckingInterval: Math.min(1000, times.headers),
  };
  const server = Fastify({
    logger: false,
    bodyLimit: bodyBytes,
    // One proxy: what it added itself is believed, what came before it may be made up.
    trustProxy: behindProxy ? (_, hop) => hop === 0 : false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // Parameters are read by those who know their meaning, once each; nobody needs them twice.
    routerOptions: { maxParamLength: longestParameter, querystringParser: () => noParameters },
    genReqId: ({ headers }) => requestId(headers['x-request-id']),
    frameworkErrors: (error, request, reply) => void answerFailure(error, request, reply, log),
    clientErrorHandler: refuseUnreadable,
    serverFactory: (handler) => {
      const made = certificate === undefined ? createHttp(limits, handler) : secure(certificate, handler);
      made.setTimeout(times.silence);
      sockets.push(made);
      return made;
    },
  });

  function secure(options: SecureContextOptions, handler: Parameters<typeof createHttps>[1]): Server {
    const made = createHttps({ ...limits, ...options }, handler);
    secured.push(made);
    return made;
  }

  server.setErrorHandler((error, request, reply) => answerFailure(error, request, reply, log));
  server.addHook('preParsing', ({ headers }, _reply, payload, done) => {
    requirePlainBody(headers['content-encoding']);
    done(null, payload);
  });
  answerWrongMethods(server);
  requireAccess(server);
  return {
    server,
    sockets,
    useCertificate: (options) => secured.forEach((one) => one.setSecureContext(options)),
  };
}

/** The caller's own id of a request where it is harmless, so that a request can be followed through several systems. */
const requestId = (given: string | string[] | undefined): string =>
  typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID();

/** Nothing is unpacked here: a small body can't become a large one, and bytes are not taken for what they aren't (RFC 9110 §8.4). */
function requirePlainBody(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new Problem(415, 'Unsupported media type', 'The body must be sent as it is, without a content-encoding.', {
    headers: { 'accept-encoding': 'identity' },
  });
}

/** A route that forgot to say who may call it would be open to all. */
function requireAccess(server: FastifyInstance): void {
  server.addHook('onRoute', ({ method, url, config }) => {
    if (config?.access === undefined)
      throw new Error(`${String(method)} ${url} has no config.access: every route says what it asks of its caller`);
  });
}

function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply, log: GatewayLog): FastifyReply {
  // A client that goes away in the middle of its body is no fault of ours.
  const problem = problemOf(error === request.raw.errored ? unreadableBody : error, request.routeOptions.bodyLimit);
  if (problem === undefined) return answerFault(error, request, reply, log);
  if (problem.status >= 500) log.warn({ request: request.id, reason: reasonOf(problem) }, problem.title);
  return sendProblem(problem, reply);
}

/** A fault of ours: its words are for the log. */
function answerFault(error: unknown, request: FastifyRequest, reply: FastifyReply, log: GatewayLog): FastifyReply {
  const fields = error instanceof Error ? { error: error.message, stack: error.stack } : { error: String(error) };
  log.error({ request: request.id, route: request.routeOptions.url, ...fields }, 'a request failed');
  return sendProblem(new Problem(500, 'Internal error', 'Something went wrong here; the log has it under this id.'), reply, request.id);
}

const reasonOf = ({ cause, message }: Problem): string => (cause instanceof Error ? cause.message : message);

function sendProblem(problem: Problem, reply: FastifyReply, id?: string): FastifyReply {
  return reply
    .code(problem.status)
    .headers({ ...problem.headers, 'cache-control': 'no-store' })
    .removeHeader('etag')
    .removeHeader('content-disposition')
    .header('content-type', problemType)
    .send(problemBody(problem, id));
}
