import { Problem } from '../problem.ts';

/** Streams at a time. */
export interface StreamLimits {
  readonly caller: number;
  readonly all: number;
}

export const streamLimits: StreamLimits = { caller: 10, all: 2_000 };

/** Counts the streams that are open. */
export class OpenStreams {
  readonly #limits: StreamLimits;
  readonly #callers = new Map<string, number>();
  #all = 0;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#all;
  }

  /** Takes a place; the function that it gives frees it. Throws 429, or 503 when the gateway has too many. */
  take(id: string): () => void {
    const own = this.#callers.get(id) ?? 0;
    const headers = { 'retry-after': '5' };
    if (own >= this.#limits.caller)
      throw new Problem(429, 'Too many streams', `There are ${own} streams of this token already; one can follow several APIs.`, {
        headers,
      });
    if (this.#all >= this.#limits.all)
      throw new Problem(503, 'Too many streams', 'All places for streams are taken; try again.', { headers });
    this.#callers.set(id, own + 1);
    this.#all += 1;
    let isFree = false;
    return () => {
      if (isFree) return;
      isFree = true;
      this.#all -= 1;
      const left = (this.#callers.get(id) ?? 1) - 1;
      if (left === 0) this.#callers.delete(id);
      else this.#callers.set(id, left);
    };
  }
}
