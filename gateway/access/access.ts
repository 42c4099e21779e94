import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Redis } from 'ioredis';
import type { GatewayBooks } from '../../connectors/gateway-books.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import type { Caller } from '../caller.ts';
import type { AuditLog, GatewayLog, Limits } from '../context.ts';
import { isLocal } from '../operation/local.ts';
import { Problem } from '../problem.ts';
import { networkOf } from './addresses.ts';
import { BookedAudit } from './audit-log.ts';
import { Authenticator } from './authenticate.ts';
import { GatewayLimits } from './limits.ts';

export interface AccessOptions {
  /** Secrets are resolved. */
  readonly definition: GatewayDefinition;
  readonly books: Pick<GatewayBooks, 'findToken' | 'audit' | 'retainAudit'>;
  readonly log: GatewayLog;
  /** Shares the limits; its commands should give up soon. */
  readonly redis?: Redis | undefined;
}

/** Who may do what. Disposing writes what the audit log still has to say, so it comes before the books are closed. */
export interface GatewayAccess extends AsyncDisposable {
  readonly limits: Limits;
  readonly audit: AuditLog;
  /** Puts the guard before all routes of the server: before `register` of any. Each needs `config: { access }`. */
  guard(server: FastifyInstance): void;
}

/** Throws `config` for a JWKS address that can't be used. */
export function openAccess({ definition, books, log, redis }: AccessOptions): GatewayAccess {
  const audit = new BookedAudit(books, definition.project, log);
  const authenticator = new Authenticator(definition, books, log);
  const retention = retainAudit(books, definition, log);
  return {
    audit,
    limits: new GatewayLimits(definition, redis),
    guard(server) {
      server.decorateRequest('caller');
      server.addHook('onRequest', (request, _reply, done) => {
        const found = authenticate(authenticator, request);
        if (found === undefined) done();
        else found.then(() => done(), done);
      });
      server.addHook('onResponse', (request, reply, done) => {
        auditRefusal(audit, request, reply);
        if (reply.statusCode === 401 && isSigned(request)) authenticator.noteForged(request.ip);
        done();
      });
    },
    async [Symbol.asyncDispose]() {
      clearInterval(retention);
      authenticator[Symbol.dispose]();
      await audit[Symbol.asyncDispose]();
    },
  };
}

/** Milliseconds between removals of what the audit log needs no longer keep. */
const retentionPause = 6 * 3_600_000;

function retainAudit(books: Pick<GatewayBooks, 'retainAudit'>, { project, audit }: GatewayDefinition, log: GatewayLog): NodeJS.Timeout {
  const retain = async (): Promise<void> => {
    try {
      await books.retainAudit(project, audit);
    } catch (error) {
      log.warn({ error: error instanceof Error ? error.message : String(error) }, 'old entries of the audit log can not be removed');
    }
  };
  void retain();
  return setInterval(() => void retain(), retentionPause).unref();
}

/** Undefined where the caller is known at once, or needs not be. */
function authenticate(authenticator: Authenticator, request: FastifyRequest): Promise<void> | undefined {
  if (request.is404) return undefined;
  const { access } = request.routeOptions.config;
  // Nobody said who may call it, so nobody may.
  if (access === undefined) throw new Problem(500, 'Internal error', 'The gateway made a mistake.');
  if (access.kind === 'public' || access.kind === 'page' || (access.kind === 'metrics' && isLocal(request))) return undefined;
  const name = nameIn(request.params);
  const permit = (caller: Caller): void => {
    request.caller = caller;
    authenticator.permit(caller, access, name);
  };
  const caller = authenticator.callerOf(request, access, name);
  if (caller instanceof Promise) return caller.then(permit);
  permit(caller);
  return undefined;
}

const nameIn = (parameters: unknown): string | undefined =>
  typeof parameters === 'object' && parameters !== null && 'name' in parameters && typeof parameters.name === 'string'
    ? parameters.name
    : undefined;

const isSigned = ({ caller }: Partial<FastifyRequest>): boolean => caller?.id.startsWith('signed:') === true;

const refusals: Readonly<Record<number, string>> = { 401: 'unauthorized', 403: 'forbidden', 429: 'limited' };

function auditRefusal(
  audit: BookedAudit,
  request: Partial<FastifyRequest> & Pick<FastifyRequest, 'ip' | 'method' | 'routeOptions'>,
  reply: FastifyReply,
): void {
  const result = refusals[reply.statusCode];
  if (result === undefined) return;
  const actor = request.caller?.id ?? `address:${networkOf(request.ip)}`;
  const target = `${request.method} ${request.routeOptions.url ?? ''}`;
  audit.refused({ actor, action: 'request', target, result, details: {} });
}
