import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Rate } from '../../schema/project-api.ts';

export interface Taken {
  readonly isAllowed: boolean;
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly ends: number;
}

/** Counts in windows of a rate: in Redis for all gateways, in memory where there is none or it fails. */
export class Counter {
  readonly rate: Rate;
  readonly #limiter: RateLimiterMemory | RateLimiterRedis;

  constructor(name: string, rate: Rate, redis: Redis | undefined) {
    this.rate = rate;
    const options = { keyPrefix: name, points: rate.requests, duration: rate.per / 1000 };
    const memory = new RateLimiterMemory(options);
    this.#limiter =
      redis === undefined
        ? memory
        : new RateLimiterRedis({
            ...options,
            storeClient: redis,
            rejectIfRedisNotReady: true,
            insuranceLimiter: memory,
            // Who is beyond the limit doesn't load Redis.
            inMemoryBlockOnConsumed: rate.requests + 1,
          });
  }

  async take(key: string): Promise<Taken> {
    try {
      return this.#taken(await this.#limiter.consume(key), true);
    } catch (error) {
      if (error instanceof RateLimiterRes) return this.#taken(error, false);
      throw error;
    }
  }

  /** Whether a next one would be refused; takes nothing. */
  async isSpent(key: string): Promise<Taken | undefined> {
    const now = await this.#limiter.get(key);
    return now !== null && now.consumedPoints >= this.rate.requests ? this.#taken(now, false) : undefined;
  }

  #taken({ remainingPoints, msBeforeNext }: RateLimiterRes, isAllowed: boolean): Taken {
    return { isAllowed, remaining: Math.max(0, remainingPoints), ends: msBeforeNext };
  }
}
