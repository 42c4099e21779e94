import type { Redis } from 'ioredis';
import { apiDefaults, parseRate, type Rate } from '../../schema/project-api.ts';
import type { ApiDefinition, GatewayDefinition } from '../../schema/gateway-definition.ts';
import type { Caller } from '../caller.ts';
import type { Limits } from '../context.ts';
import { Problem } from '../problem.ts';
import { after } from './after.ts';
import { Counter, SharedCounts } from './counter.ts';
import type { Taken } from './windows.ts';

type Headers = Readonly<Record<string, string>>;

const otherRate: Rate = parseRate(apiDefaults.rate) ?? { requests: 600, per: 60_000 };

const seconds = (milliseconds: number): number => Math.max(1, Math.ceil(milliseconds / 1000));

/** As structured fields: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ */
const headersOf = (name: string, { requests, per }: Rate, { remaining, ends }: Taken): Headers => ({
  'ratelimit-policy': `"${name}";q=${requests};w=${seconds(per)}`,
  ratelimit: `"${name}";r=${remaining};t=${seconds(ends)}`,
});

const whose: Readonly<Record<string, string>> = { token: 'this token', role: 'all callers of this role', all: 'all callers' };

/** The answer to one request too many. */
export function tooMany(name: string, rate: Rate, taken: Taken): Problem {
  const wait = seconds(taken.ends);
  const limit = `${rate.requests} requests in ${seconds(rate.per)} s`;
  return new Problem(429, 'Too many requests', `The limit of ${whose[name] ?? name} is reached (${limit}); try again in ${wait} s.`, {
    headers: { ...headersOf(name, rate, taken), 'retry-after': `${wait}` },
  });
}

/** Counts requests for tokens and APIs, for roles, and for all; what a token has too many of counts for nobody else. */
export class GatewayLimits implements Limits {
  readonly #definition: GatewayDefinition;
  readonly #shared: SharedCounts | undefined;
  readonly #apis: ReadonlyMap<string, ApiDefinition>;
  readonly #names: ReadonlySet<string>;
  readonly #counters = new Map<string, Counter>();
  readonly #ofRate = { token: new WeakMap<Rate, Counter>(), role: new WeakMap<Rate, Counter>(), all: new WeakMap<Rate, Counter>() };

  constructor(definition: GatewayDefinition, redis: Redis | undefined) {
    this.#definition = definition;
    this.#shared = redis === undefined ? undefined : new SharedCounts(redis);
    this.#apis = new Map(definition.apis.map((api) => [api.name, api]));
    this.#names = new Set([
      ...this.#apis.keys(),
      'changes',
      'graphql',
      'openapi',
      ...definition.ingests.map(({ connection }) => `ingest:${connection.name}`),
      ...definition.triggers.map(({ name }) => `trigger:${name}`),
    ]);
  }

  take(api: string, caller: Caller): Headers | Promise<Headers> {
    const own = this.#rateOf(api, caller);
    return after(this.#take('token', own, `${this.#names.has(api) ? api : 'other'} ${caller.id}`), (taken) => {
      const headers = headersOf('token', own, taken);
      // Readers and writers don't take the limit of all from each other.
      const others = api.startsWith('ingest:') ? undefined : this.#takeFromAll(caller);
      return others === undefined ? headers : others.then(() => headers);
    });
  }

  /** Undefined where nobody has to be waited for. */
  #takeFromAll({ role }: Caller): Promise<unknown> | undefined {
    const { rate } = this.#definition;
    const ofAll = this.#take('all', rate.all, '');
    const ofRole = role === undefined ? undefined : this.#take('role', rate.role, role);
    return ofRole instanceof Promise || ofAll instanceof Promise ? Promise.all([ofRole, ofAll]) : undefined;
  }

  #rateOf(name: string, caller: Caller): Rate {
    if (name.startsWith('ingest:')) return this.#definition.rate.ingest;
    const rates = this.#apis.get(name)?.rates ?? {};
    const role = caller.role ?? '*';
    return (Object.hasOwn(rates, role) ? rates[role] : rates['*']) ?? otherRate;
  }

  #take(name: 'token' | 'role' | 'all', rate: Rate, key: string): Taken | Promise<Taken> {
    return after(this.#counter(name, rate).take(key), (taken) => {
      if (!taken.isAllowed) throw tooMany(name, rate, taken);
      return taken;
    });
  }

  #counter(name: 'token' | 'role' | 'all', rate: Rate): Counter {
    const known = this.#ofRate[name].get(rate);
    if (known !== undefined) return known;
    const key = `millrace:${this.#definition.project}:${name}:${rate.requests}:${rate.per}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) this.#counters.set(key, (counter = new Counter(key, rate, this.#shared)));
    this.#ofRate[name].set(rate, counter);
    return counter;
  }
}
