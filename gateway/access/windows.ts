import type { Rate } from '../../schema/project-api.ts';

export interface Taken {
  readonly isAllowed: boolean;
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly ends: number;
}

interface Window {
  count: number;
  readonly ends: number;
}

/** Counts in windows of a rate, in memory; the window of a key begins with its first request. */
export class Windows {
  readonly #rate: Rate;
  /** The one that ends first is first: all are as long. */
  readonly #windows = new Map<string, Window>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  take(key: string): Taken {
    const now = performance.now();
    const window = this.#open(key, now) ?? this.#begin(key, now);
    window.count += 1;
    return this.#taken(window, now, window.count <= this.#rate.requests);
  }

  /** Says when a next one would be refused; takes nothing. */
  spent(key: string): Taken | undefined {
    const now = performance.now();
    const window = this.#open(key, now);
    return window === undefined || window.count < this.#rate.requests ? undefined : this.#taken(window, now, false);
  }

  #open(key: string, now: number): Window | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && window.ends > now ? window : undefined;
  }

  #begin(key: string, now: number): Window {
    for (const [other, { ends }] of this.#windows) {
      if (ends > now) break;
      this.#windows.delete(other);
    }
    const window = { count: 0, ends: now + this.#rate.per };
    this.#windows.set(key, window);
    return window;
  }

  #taken({ count, ends }: Window, now: number, isAllowed: boolean): Taken {
    return { isAllowed, remaining: Math.max(0, this.#rate.requests - count), ends: ends - now };
  }
}
