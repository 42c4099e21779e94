import type { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Rate } from '../../schema/project-api.ts';
import { Windows, type Taken } from './windows.ts';

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

interface Shared {
  readonly counts: SharedCounts;
  readonly limiter: RateLimiterRedis;
}

/** Counts in windows of a rate: in Redis for all gateways, in memory where there is none or it fails. */
export class Counter {
  readonly #memory: Windows;
  readonly #shared: Shared | undefined;

  constructor(name: string, rate: Rate, counts: SharedCounts | undefined) {
    this.#memory = new Windows(rate);
    if (counts === undefined) return;
    const options = { keyPrefix: name, points: rate.requests, duration: rate.per / 1000 };
    // Who is beyond the limit doesn't load Redis.
    const shared = { storeClient: counts.redis, rejectIfRedisNotReady: true, inMemoryBlockOnConsumed: rate.requests + 1 };
    this.#shared = { counts, limiter: new RateLimiterRedis({ ...options, ...shared }) };
  }

  /** Counts at once where nothing is shared. */
  take(key: string): Taken | Promise<Taken> {
    return this.#shared === undefined ? this.#memory.take(key) : this.#takeShared(this.#shared, key);
  }

  async #takeShared({ counts, limiter }: Shared, key: string): Promise<Taken> {
    try {
      const taken = await counts.ask(async () => await limiter.consume(key));
      return taken === undefined ? this.#memory.take(key) : takenOf(taken, true);
    } catch (error) {
      if (error instanceof RateLimiterRes) return takenOf(error, false);
      throw error;
    }
  }
}

const takenOf = ({ remainingPoints, msBeforeNext }: RateLimiterRes, isAllowed: boolean): Taken => ({
  isAllowed,
  remaining: Math.max(0, remainingPoints),
  ends: msBeforeNext,
});
