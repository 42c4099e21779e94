import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Rate } from '../../schema/project-api.ts';
import { bucketOf } from './addresses.ts';
import { Counter } from './counter.ts';
import { tooMany } from './limits.ts';

/** Bad tokens that an address may show. */
const rate: Rate = { requests: 20, per: 60_000 };

/** Counts bad tokens by address. One with too many is heard no more, but with tokens that were good lately: others may share the address. */
export class Failures {
  readonly #salt = randomBytes(16);
  readonly #counter = new Counter('failures', rate, undefined);
  readonly #good = new LRUCache<string, true>({ max: 10_000, ttl: 10 * 60_000 });
  /** Before this moment there may be addresses with bad tokens; most of the time there are none. */
  #until = 0;

  /** Throws 429 where the token must not be looked at. */
  async check(address: string, token: string): Promise<void> {
    if (performance.now() > this.#until) return;
    const spent = await this.#counter.isSpent(bucketOf(address, this.#salt));
    if (spent !== undefined && !this.#good.has(digest(token))) throw tooMany('bad tokens of this address', rate, spent);
  }

  /** Notes a bad token. */
  async note(address: string, token: string): Promise<void> {
    this.#until = performance.now() + rate.per;
    this.#good.delete(digest(token));
    await this.#counter.take(bucketOf(address, this.#salt)).then(() => undefined);
  }

  noteGood(token: string): void {
    this.#good.set(digest(token), true);
  }
}

const digest = (token: string): string => hash('sha256', token, 'base64');
