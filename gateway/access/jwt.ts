import { hash } from 'node:crypto';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import type { Caller } from '../caller.ts';
import type { GatewayLog } from '../context.ts';
import { Problem } from '../problem.ts';
import { unauthorized } from './bearer.ts';
import { identities } from './identity.ts';
import { IssuerKeys, KeysUnavailable } from './jwks.ts';
import { isScope } from './scopes.ts';

/** Seconds by which clocks may differ. */
const skew = 30;
/** Milliseconds for which a signature that was found good isn't checked again. */
const held = 30_000;
/** What would have the key come from elsewhere than the issuer's set. */
const foreignKeys = ['jku', 'jwk', 'x5u'] as const;

interface KeptCaller {
  readonly caller: Caller;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Finds the caller of a JWT. */
export class Jwts implements Disposable {
  readonly #settings: NonNullable<GatewayDefinition['jwt']>;
  readonly #keys: IssuerKeys;
  readonly #identityOf: ReturnType<typeof identities>;
  readonly #kept = new LRUCache<string, KeptCaller>({ max: 10_000 });

  constructor(settings: NonNullable<GatewayDefinition['jwt']>, definition: GatewayDefinition, log: GatewayLog) {
    this.#settings = settings;
    this.#keys = new IssuerKeys(settings, log);
    this.#identityOf = identities(definition);
  }

  /** Undefined for a token that isn't good, whatever is wrong with it. Throws 401 for one that was good once, 503 when nobody can tell. */
  async callerOf(token: string): Promise<Caller | undefined> {
    const digest = hash('sha256', token, 'base64');
    const kept = this.#kept.get(digest);
    if (kept !== undefined && Date.now() < kept.until) return kept.caller;
    const claims = await this.#verify(token);
    const caller = claims === undefined ? undefined : this.#caller(claims);
    if (claims === undefined || caller === undefined) return undefined;
    this.#kept.set(digest, { caller, until: this.#until(claims) });
    return caller;
  }

  [Symbol.dispose](): void {
    this.#keys[Symbol.dispose]();
  }

  async #verify(token: string): Promise<JWTPayload | undefined> {
    const { issuer, audience, algorithms, maxAge } = this.#settings;
    try {
      const { payload } = await jwtVerify(
        token,
        async (header, input) => {
          if (foreignKeys.some((name) => Object.hasOwn(header, name))) throw new Error('the header brings a key');
          return await this.#keys.keyOf(header, input);
        },
        {
          algorithms: [...algorithms],
          issuer,
          audience,
          clockTolerance: skew,
          requiredClaims: ['exp', 'sub'],
          ...(maxAge === undefined ? {} : { maxTokenAge: maxAge / 1000 }),
        },
      );
      return payload;
    } catch (error) {
      // Its signature was right: nobody guesses such tokens, a client is late to renew its own.
      if (error instanceof errors.JWTExpired) throw unauthorized('The token has expired.', 'invalid_token');
      if (!(error instanceof KeysUnavailable)) return undefined;
      throw new Problem(503, 'Unavailable', "The issuer's keys can not be read just now; try again.", { headers: { 'retry-after': '2' } });
    }
  }

  #caller(claims: JWTPayload): Caller | undefined {
    const { iss, sub, [this.#settings.roleClaim]: named } = claims;
    if (typeof sub !== 'string' || sub === '' || sub.length > 256) return undefined;
    const role = Object.hasOwn(claims, this.#settings.roleClaim) && typeof named === 'string' ? named : undefined;
    const exact = exactOf(claims);
    return { id: `jwt:${iss}:${sub}`, role, scopes: scopesOf(claims), claims: exact, identity: this.#identityOf(role, exact) };
  }

  #until({ exp = 0, iat = 0 }: JWTPayload): number {
    const { maxAge } = this.#settings;
    const oldest = maxAge === undefined ? Infinity : (iat + skew) * 1000 + maxAge;
    return Math.min(Date.now() + held, (exp + skew) * 1000, oldest);
  }
}

/** Without claims that reading the token's JSON has rounded: a rule would let somebody else's rows through. */
const exactOf = (claims: JWTPayload): JWTPayload => Object.fromEntries(Object.entries(claims).filter(([, value]) => isExact(value)));

function isExact(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(isExact);
}

/** `scope` limits what the token may do; without it it reads. What means nothing here is left out. */
function scopesOf({ scope }: JWTPayload): readonly string[] {
  if (scope === undefined) return ['api', 'changes'];
  return typeof scope === 'string' ? scope.split(' ').filter(isScope) : [];
}
