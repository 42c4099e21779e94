import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Rate } from '../../schema/project-api.ts';
import { bucketOf } from './addresses.ts';
import { tooMany } from './limits.ts';
import { Windows } from './windows.ts';

/** Bad tokens that an address may show. */
export const badTokens: Rate = { requests: 20, per: 60_000 };
/** Wrong signatures: of senders whose secret has just changed too, so there are more. */
export const badSignatures: Rate = { requests: 300, per: 60_000 };

/** Counts bad tokens by address. One with too many is heard no more, but with tokens that were good lately: others may share the address. */
export class Failures {
  readonly #salt = randomBytes(16);
  readonly #rate: Rate;
  readonly #windows: Windows;
  readonly #good = new LRUCache<string, true>({ max: 10_000, ttl: 10 * 60_000 });
  /** Before this moment there may be addresses with bad tokens; most of the time there are none. */
  #until = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#windows = new Windows(rate);
  }

  /** Throws 429 where the token must not be looked at. */
  check(address: string, token: string): void {
    if (performance.now() > this.#until) return;
    const spent = this.#windows.spent(bucketOf(address, this.#salt));
    if (spent !== undefined && !this.#good.has(digest(token))) throw tooMany('bad tokens or signatures of this address', this.#rate, spent);
  }

  /** Notes a bad token. */
  note(address: string, token: string): void {
    this.#until = performance.now() + this.#rate.per;
    this.#good.delete(digest(token));
    this.#windows.take(bucketOf(address, this.#salt));
  }

  noteGood(token: string): void {
    this.#good.set(digest(token), true);
  }
}

const digest = (token: string): string => hash('sha256', token, 'base64');
