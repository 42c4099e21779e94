import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Rate } from '../../schema/project-api.ts';

export interface Taken {
  readonly isAllowed: boolean;
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly ends: number;
}

/** Milliseconds that a request waits for Redis, and for which a Redis that failed isn't asked. */
const times = { patience: 250, pause: 2_000 } as const;

/** The Redis that gateways count in; once it fails it isn't asked for a while, so that a slow one doesn't slow every request. */
export class SharedCounts {
  readonly redis: Redis;
  #pausedUntil = 0;

  constructor(redis: Redis) {
    this.redis = redis;
  }

  /** Undefined when Redis fails, or did just now; refusals are thrown on. */
  async ask(consume: () => Promise<RateLimiterRes>): Promise<RateLimiterRes | undefined> {
    if (performance.now() < this.#pausedUntil) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), times.patience);
    });
    try {
      const taken = await Promise.race([consume(), late]);
      if (taken === undefined) this.#pausedUntil = performance.now() + times.pause;
      return taken;
    } catch (error) {
      if (error instanceof RateLimiterRes) throw error;
      this.#pausedUntil = performance.now() + times.pause;
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Counts in windows of a rate: in Redis for all gateways, in memory where there is none or it fails. */
export class Counter {
  readonly rate: Rate;
  readonly #memory: RateLimiterMemory;
  readonly #shared: { readonly counts: SharedCounts; readonly limiter: RateLimiterRedis } | undefined;

  constructor(name: string, rate: Rate, counts: SharedCounts | undefined) {
    this.rate = rate;
    const options = { keyPrefix: name, points: rate.requests, duration: rate.per / 1000 };
    this.#memory = new RateLimiterMemory(options);
    if (counts === undefined) return;
    // Who is beyond the limit doesn't load Redis.
    const shared = { storeClient: counts.redis, rejectIfRedisNotReady: true, inMemoryBlockOnConsumed: rate.requests + 1 };
    this.#shared = { counts, limiter: new RateLimiterRedis({ ...options, ...shared }) };
  }

  async take(key: string): Promise<Taken> {
    try {
      const shared = this.#shared === undefined ? undefined : await this.#takeShared(key);
      return this.#taken(shared ?? (await this.#memory.consume(key)), true);
    } catch (error) {
      if (error instanceof RateLimiterRes) return this.#taken(error, false);
      throw error;
    }
  }

  /** Whether a next one would be refused by the counts in memory; takes nothing. */
  async isSpent(key: string): Promise<Taken | undefined> {
    const now = await this.#memory.get(key);
    return now !== null && now.consumedPoints >= this.rate.requests ? this.#taken(now, false) : undefined;
  }

  async #takeShared(key: string): Promise<RateLimiterRes | undefined> {
    const shared = this.#shared;
    return shared === undefined ? undefined : await shared.counts.ask(async () => await shared.limiter.consume(key));
  }

  #taken({ remainingPoints, msBeforeNext }: RateLimiterRes, isAllowed: boolean): Taken {
    return { isAllowed, remaining: Math.max(0, remainingPoints), ends: msBeforeNext };
  }
}
