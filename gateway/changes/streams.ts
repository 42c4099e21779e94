import type { GatewayBooks } from '../../connectors/gateway-books.ts';
import type { Caller } from '../caller.ts';
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

/** Whether callers may go on: one look at the books for all streams of a token. */
export class Standing {
  readonly #books: Pick<GatewayBooks, 'findToken'>;
  readonly #project: string;
  readonly #asked = new Map<string, Promise<boolean>>();

  constructor(books: Pick<GatewayBooks, 'findToken'>, project: string) {
    this.#books = books;
    this.#project = project;
  }

  /** False once a token was revoked or has expired, or when nobody can tell. */
  async isGood(caller: Caller): Promise<boolean> {
    const { exp } = caller.claims;
    if (caller.id.startsWith('jwt:')) return typeof exp !== 'number' || exp * 1000 > Date.now();
    const [, id] = /^token:(.+)$/.exec(caller.id) ?? [];
    if (id === undefined) return true;
    const asked = this.#asked.get(id) ?? this.#ask(id);
    this.#asked.set(id, asked);
    return await asked;
  }

  async #ask(id: string): Promise<boolean> {
    try {
      const token = await this.#books.findToken(this.#project, id);
      return (
        token !== undefined && token.revokedAt === undefined && !(token.expiresAt !== undefined && token.expiresAt.getTime() <= Date.now())
      );
    } catch {
      return false;
    } finally {
      this.#asked.delete(id);
    }
  }
}
