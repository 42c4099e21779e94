import { LRUCache } from 'lru-cache';
import type { BookedToken, GatewayBooks } from '../../connectors/gateway-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { GatewayLog } from '../context.ts';
import { Problem } from '../problem.ts';

/** Milliseconds that an answer of the books holds: a revoked token is refused within a second. */
const held = 500;
/** Milliseconds for which the clock is not read again. */
const ttlResolution = 10;
/** Milliseconds that a request waits for the books. */
const patience = 3_000;
/** Look-ups under way at most. */
const crowd = 200;

interface Lookup {
  readonly since: number;
  readonly found: Promise<BookedToken | undefined>;
}

const unavailable = (cause?: unknown): Problem =>
  new Problem(
    503,
    'Unavailable',
    'Tokens can not be checked just now: the warehouse that has them does not answer. Try again; JWTs, and posts that are signed ("verify"), are checked without it.',
    { headers: { 'retry-after': '1' }, cause },
  );

/** Tokens by id, each read from the books at most twice a second; without books nobody is let in. */
export class KeptTokens {
  readonly #books: Pick<GatewayBooks, 'findToken'>;
  readonly #project: string;
  readonly #log: GatewayLog;
  readonly #found = new LRUCache<string, BookedToken>({ max: 10_000, ttl: held, ttlResolution });
  /** Apart, so that made-up ids push no real ones out. */
  readonly #missing = new LRUCache<string, true>({ max: 1_000, ttl: held, ttlResolution });
  readonly #underway = new Map<string, Lookup>();
  #crowd = 0;

  constructor(books: Pick<GatewayBooks, 'findToken'>, project: string, log: GatewayLog) {
    this.#books = books;
    this.#project = project;
    this.#log = log;
  }

  /** Throws 503 when the books don't answer. */
  find(id: string): BookedToken | undefined | Promise<BookedToken | undefined> {
    return this.#found.get(id) ?? (this.#missing.has(id) ? undefined : this.#lookup(id).found);
  }

  /** Joins a look-up that began just now; an older one may not know of a token revoked since. */
  #lookup(id: string): Lookup {
    const now = performance.now();
    const underway = this.#underway.get(id);
    if (underway !== undefined && now - underway.since < held) return underway;
    if (this.#crowd >= crowd) throw unavailable();
    const lookup: Lookup = { since: now, found: this.#read(id, now) };
    this.#underway.set(id, lookup);
    const forget = (): void => {
      if (this.#underway.get(id) === lookup) this.#underway.delete(id);
    };
    lookup.found.then(forget, forget);
    return lookup;
  }

  async #read(id: string, since: number): Promise<BookedToken | undefined> {
    try {
      const token = await this.#ask(id);
      const ttl = Math.floor(held - (performance.now() - since));
      if (ttl > 0 && token === undefined) this.#missing.set(id, true, { ttl });
      if (ttl > 0 && token !== undefined) this.#found.set(id, token, { ttl });
      return token;
    } catch (error) {
      if (error instanceof Problem) throw error;
      this.#log.error(
        { error: error instanceof MillraceError ? error.message : String(error) },
        'tokens can not be checked: the books do not answer',
      );
      throw unavailable(error);
    }
  }

  async #ask(id: string): Promise<BookedToken | undefined> {
    this.#crowd++;
    const asked = this.#books.findToken(this.#project, id).finally(() => this.#crowd--);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new MillraceError('unavailable', `no answer within ${patience / 1000} s`)), patience);
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
