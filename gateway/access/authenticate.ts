import type { FastifyRequest } from 'fastify';
import type { BookedToken, GatewayBooks } from '../../connectors/gateway-books.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import type { Access, Caller } from '../caller.ts';
import type { GatewayLog } from '../context.ts';
import { Problem } from '../problem.ts';
import { networkOf } from './addresses.ts';
import { after } from './after.ts';
import { bearerOf, notGood, unauthorized } from './bearer.ts';
import { badSignatures, badTokens, Failures } from './failures.ts';
import { identities, rolesOf } from './identity.ts';
import { Jwts } from './jwt.ts';
import { KeptTokens } from './kept-tokens.ts';
import { hasSomeApi, requireScope, scopeMissing, scopeOf } from './scopes.ts';
import { isSecretOf, parseToken } from './tokens.ts';

const anonymousRole = 'anonymous';

/** Where a request comes from and what it shows. */
export type Shown = Pick<FastifyRequest, 'ip' | 'raw'>;

/** What is known of a token as long as the books' answer about it is kept. */
interface Known {
  readonly caller: Caller;
  /** Secrets that were found to be the token's, so one at most: found by a hash that nobody knows, which takes as long whatever is asked. */
  readonly secrets: Set<string>;
}

/** Finds out who asks, and whether he may ask this route. */
export class Authenticator implements Disposable {
  readonly #tokens: KeptTokens;
  readonly #jwts: Jwts | undefined;
  readonly #failures = new Failures(badTokens);
  /** Signatures that were wrong. */
  readonly #forged = new Failures(badSignatures);
  readonly #roles: ReadonlySet<string>;
  readonly #signed: ReadonlySet<string>;
  readonly #identityOf: ReturnType<typeof identities>;
  readonly #known = new WeakMap<BookedToken, Known>();
  /** Noted as good already: a token gets another caller within a minute. */
  readonly #noted = new WeakSet<Caller>();

  /** Throws `config` for a JWKS address that can't be used. */
  constructor(definition: GatewayDefinition, books: Pick<GatewayBooks, 'findToken'>, log: GatewayLog) {
    this.#tokens = new KeptTokens(books, definition.project, log);
    this.#jwts = definition.jwt === undefined ? undefined : new Jwts(definition.jwt, definition, log);
    this.#roles = rolesOf(definition);
    this.#signed = signedRoutes(definition);
    this.#identityOf = identities(definition);
  }

  /** Who asks, at once where it is known; throws 401, 429, or 503 when nobody can tell. `name` is the parameter of the path. */
  callerOf(shown: Shown, access: Access, name: string | undefined): Caller | Promise<Caller> {
    const token = bearerOf(shown.raw);
    return token === undefined ? this.#withoutToken(shown, access, name) : this.#withToken(shown, token);
  }

  /** Throws 403 where the caller may not ask the route. */
  permit(caller: Caller, access: Access, name: string | undefined): void {
    this.#permitRole(caller, access);
    const scope = scopeOf(access, name);
    if (scope === 'api') {
      if (!hasSomeApi(caller)) throw scopeMissing(scope);
    } else if (scope !== undefined) {
      requireScope(caller, scope);
    }
  }

  /** Notes that what a caller without a token posted was not signed as it must be. */
  noteForged(ip: string): void {
    this.#forged.note(ip, '');
  }

  [Symbol.dispose](): void {
    this.#jwts?.[Symbol.dispose]();
  }

  #withoutToken({ ip }: Shown, { kind }: Access, name: string | undefined): Caller {
    const scope = `${kind}:${name ?? ''}`;
    if (this.#signed.has(scope)) {
      this.#forged.check(ip, '');
      return { id: `signed:${scope}`, role: undefined, scopes: [scope], claims: {}, identity: '' };
    }
    if (kind !== 'api' || !this.#roles.has(anonymousRole)) throw unauthorized('A token is needed: Authorization: Bearer …');
    const identity = this.#identityOf(anonymousRole, {});
    return { id: `anonymous:${networkOf(ip)}`, role: anonymousRole, scopes: ['api'], claims: {}, identity };
  }

  #withToken({ ip }: Shown, token: string): Caller | Promise<Caller> {
    this.#failures.check(ip, token);
    return after(token.startsWith('mr_') ? this.#ofToken(token) : this.#jwts?.callerOf(token), (caller) => {
      if (caller === undefined) {
        this.#failures.note(ip, token);
        throw notGood();
      }
      if (!this.#noted.has(caller)) {
        this.#failures.noteGood(token);
        this.#noted.add(caller);
      }
      return caller;
    });
  }

  #ofToken(text: string): Caller | undefined | Promise<Caller | undefined> {
    const parsed = parseToken(text);
    return parsed === undefined ? undefined : after(this.#tokens.find(parsed.id), (token) => this.#ofBooked(token, parsed.secret));
  }

  /** Undefined for one that could be made up; throws 401 for one that was real. */
  #ofBooked(token: BookedToken | undefined, secret: string): Caller | undefined {
    const isKnown = token !== undefined && this.#known.get(token)?.secrets.has(secret) === true;
    if (!isKnown && !isSecretOf(secret, token?.hash)) return undefined;
    if (token === undefined) return undefined;
    if (token.revokedAt !== undefined) throw unauthorized('The token was revoked.', 'invalid_token');
    if (token.expiresAt !== undefined && token.expiresAt.getTime() <= Date.now())
      throw unauthorized('The token has expired.', 'invalid_token');
    const known = this.#knownOf(token);
    known.secrets.add(secret);
    return known.caller;
  }

  #knownOf(token: BookedToken): Known {
    const found = this.#known.get(token);
    if (found !== undefined) return found;
    const { id, role, scopes, claims } = token;
    const caller = { id: `token:${id}`, role, scopes, claims, identity: this.#identityOf(role, claims) };
    const known = { caller, secrets: new Set<string>() };
    this.#known.set(token, known);
    return known;
  }

  #permitRole({ role }: Caller, { kind }: Access): void {
    if (role !== undefined && !this.#roles.has(role))
      throw new Problem(403, 'Role unknown', 'The role of the token is none of this project.');
    if (kind === 'api' && role === undefined) throw new Problem(403, 'Role missing', 'The token has no role, so it may not read.');
  }
}

/** Scopes of the routes where a signature stands for a token: their handlers check it. */
function signedRoutes({ ingests, triggers }: GatewayDefinition): ReadonlySet<string> {
  const hasSignature = ({ settings }: { readonly settings: object }): boolean => 'verify' in settings && settings.verify !== undefined;
  return new Set([
    ...ingests.filter(({ connection }) => hasSignature(connection)).map(({ connection }) => `ingest:${connection.name}`),
    ...triggers.filter(({ verify }) => verify !== undefined).map(({ name }) => `trigger:${name}`),
  ]);
}
