import { MillraceError } from '../../schema/errors.ts';
import type { Attempt } from '../connector.ts';
import { garbleOf, readAnswer } from './answer.ts';
import type { Authorizer, Credentials } from './authorizer.ts';
import type { HttpAnswer, HttpRequest } from './client.ts';
import type { Clock } from './clock.ts';
import type { Exchange } from './exchange.ts';
import type { Limiter } from './limiter.ts';
import { authorized, prepare, stripped, type Prepared } from './outgoing.ts';
import { redirected } from './redirect.ts';
import { routeOf, urlOf } from './route.ts';
import type { IncomingAnswer } from './stores.ts';
import { exhaustedFor, longestWait, waitOf } from './wait.ts';

/** What the requests of a client have in common. */
export interface CallContext {
  readonly name: string;
  readonly baseUrl: string;
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly secretHeaders: readonly string[];
  readonly requestIdHeaders: readonly string[];
  readonly timeout: number;
  /** Milliseconds that a request waits for leave, and for what the other side asks, in sum. */
  readonly patience: number;
  readonly exchange: Exchange;
  readonly limiter: Limiter;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly throttled: (answer: HttpAnswer) => number | undefined;
  readonly noEffect: (answer: HttpAnswer) => boolean;
}

/** Waits up to this are waited here; longer ones give the worker's slot back. */
const shortWait = 5_000;
/** How often a repeatable request goes out over passing faults, and how long that may take, in time-outs. */
const tries = 5;
const budget = 3;

/** One request from its first try to its answer. */
export class Call {
  readonly #context: CallContext;
  readonly #request: HttpRequest;
  readonly #attempt: Attempt;
  readonly #what: string;
  readonly #begun: number;
  #prepared: Prepared;
  #url: URL;
  #credentials: Credentials | undefined;
  #tries = 0;
  #waited = 0;
  #throttles = 0;
  #redirects = 0;
  #renewed = false;

  constructor(context: CallContext, request: HttpRequest, attempt: Attempt) {
    this.#context = context;
    this.#request = request;
    this.#attempt = attempt;
    this.#what = `connection ${context.name}: ${request.method} ${routeOf(request)}`;
    this.#url = urlOf(context.baseUrl, request, this.#what);
    this.#prepared = prepare(request, this.#isHome() ? context.headers : {});
    this.#begun = context.clock.now();
  }

  async run(): Promise<HttpAnswer> {
    for (;;) {
      const next = await this.#try();
      if (typeof next !== 'number') return next;
      if (next > 0) await this.#context.clock.sleep(next, this.#attempt.signal);
    }
  }

  #isHome(): boolean {
    return this.#url.origin === this.#context.origin;
  }

  /** The answer, or the milliseconds after which it is tried again. */
  async #try(): Promise<HttpAnswer | number> {
    let incoming: IncomingAnswer;
    try {
      incoming = await this.#send();
    } catch (error) {
      return this.#failed(error);
    }
    return await this.#judge(readAnswer(incoming, this.#context.requestIdHeaders));
  }

  async #send(): Promise<IncomingAnswer> {
    const { limiter, exchange, authorizer, patience, secretHeaders } = this.#context;
    const { signal } = this.#attempt;
    if (this.#isHome()) this.#credentials = await authorizer.credentials(this.#attempt);
    const outgoing =
      this.#isHome() && this.#credentials !== undefined
        ? authorized(this.#prepared, this.#url, this.#credentials)
        : stripped(this.#prepared, this.#url, secretHeaders);
    await limiter.enter(Math.max(0, patience - this.#waited), signal);
    try {
      this.#tries += 1;
      return await exchange.send(outgoing, { what: this.#what, signal, timeout: this.#timeLeft() });
    } finally {
      limiter.leave();
    }
  }

  /** A request that goes out once must have ended within patience and time-out, and while its attempt may have effects, whatever it waited for. */
  #timeLeft(): number {
    const { timeout, patience, clock } = this.#context;
    if (this.#request.repeatable) return timeout;
    const allowed = (this.#attempt.until ?? Infinity) - performance.now();
    const left = Math.min(this.#begun + patience + timeout - clock.now(), allowed);
    if (left > 0) return Math.min(timeout, left);
    throw new MillraceError('unavailable', `${this.#what}: waited too long before it could be sent; nothing was sent`);
  }

  #failed(error: unknown): number {
    const isPassing = error instanceof MillraceError && (error.code === 'unavailable' || error.code === 'unknown');
    if (!isPassing || !this.#request.repeatable) throw error;
    return this.#tryAgain(error, 0);
  }

  /** The pause before a repeatable request goes out again: growing, with jitter. Throws when it was tried enough. */
  #tryAgain(error: MillraceError, atLeast: number): number {
    const { clock, timeout } = this.#context;
    const pause = Math.max(atLeast, Math.min(shortWait, 250 * 2 ** (this.#tries - 1)) * (0.5 + Math.random()));
    const isOver = this.#tries >= tries || clock.now() + pause > this.#begun + budget * timeout;
    if (isOver) throw new MillraceError('unavailable', `${error.message}; it was tried ${this.#tries} times`, { cause: error });
    return pause;
  }

  async #judge(answer: HttpAnswer): Promise<HttpAnswer | number> {
    const asked = answer.status >= 400 ? this.#context.throttled(answer) : undefined;
    switch (asked === undefined ? meaningOf(answer.status) : 'throttled') {
      case 'throttled':
        return await this.#throttled(answer, asked);
      case 'redirect':
        return this.#redirect(answer);
      case 'unauthorized':
        return await this.#renew();
      case 'not taken':
        return this.#failed(new MillraceError('unavailable', `${this.#what}: HTTP ${answer.status}; nothing was done`));
      case 'broken':
        return await this.#broken(answer);
      case 'served':
        return await this.#served(answer);
      case 'told':
        return answer;
    }
  }

  async #served(answer: HttpAnswer): Promise<HttpAnswer | number> {
    const garble = garbleOf(answer, this.#request.expects);
    const sentence = `${this.#what}: HTTP ${answer.status} with ${garble} in place of its answer${named(answer)}`;
    if (garble !== undefined) return this.#failed(new MillraceError('unknown', sentence));
    const exhausted = exhaustedFor(answer.headers, this.#context.clock.now());
    if (exhausted !== undefined && exhausted > 0) await this.#context.limiter.pause(Math.min(exhausted, 60_000));
    return answer;
  }

  async #throttled(answer: HttpAnswer, asked: number | undefined): Promise<number> {
    const { clock, limiter, patience } = this.#context;
    const growing = Math.min(30_000, 1_000 * 2 ** this.#throttles * (1 + Math.random() / 4));
    const wait = Math.ceil(asked ?? waitOf(answer.headers, clock.now()) ?? growing);
    this.#throttles += 1;
    const sentence = `${this.#what}: the application asks to wait ${Math.ceil(wait / 1000)} s (HTTP ${answer.status})${named(answer)}`;
    if (wait > longestWait) {
      throw new MillraceError(
        'config',
        `${sentence}, longer than a day; its quota is used up or the credential is blocked: look there, then run again`,
      );
    }
    await limiter.pause(wait);
    this.#waited += wait;
    if (wait > shortWait || this.#waited > patience) throw new MillraceError('rate-limited', sentence, { retryAfter: wait });
    return wait;
  }

  async #broken(answer: HttpAnswer): Promise<number> {
    const { clock, limiter, noEffect } = this.#context;
    const { 'retry-after': after = '', date = '' } = answer.headers;
    const asked = waitOf({ 'retry-after': after, date }, clock.now()) ?? 0;
    const wait = asked <= longestWait ? asked : 0;
    if (wait > 0) await limiter.pause(wait);
    const isHarmless = this.#request.repeatable || noEffect(answer);
    const sentence = `${this.#what}: HTTP ${answer.status}${named(answer)}`;
    if (!isHarmless) throw new MillraceError('unknown', sentence);
    if (wait > shortWait) throw new MillraceError('rate-limited', `${sentence}; it asks to wait`, { retryAfter: wait });
    const error = new MillraceError('unavailable', sentence);
    if (!this.#request.repeatable) throw error;
    return this.#tryAgain(error, wait);
  }

  async #renew(): Promise<number> {
    const used = this.#credentials;
    if (used !== undefined && this.#isHome() && !this.#renewed && (await this.#context.authorizer.renew(used, this.#attempt))) {
      this.#renewed = true;
      return 0;
    }
    throw new MillraceError('auth', `${this.#what}: the credentials are refused (HTTP 401); check auth of the connection`);
  }

  #redirect(answer: HttpAnswer): number {
    this.#redirects += 1;
    const next = redirected(answer, { ...this.#prepared, url: this.#url }, this.#request.repeatable && this.#redirects <= 5, this.#what);
    this.#url = next.url;
    this.#prepared = { ...this.#prepared, method: next.method, body: next.body };
    return 0;
  }
}

const meanings: Readonly<Record<number, 'throttled' | 'unauthorized' | 'not taken' | 'told'>> = {
  304: 'told',
  401: 'unauthorized',
  408: 'not taken',
  425: 'not taken',
  429: 'throttled',
};

function meaningOf(status: number): 'throttled' | 'unauthorized' | 'not taken' | 'told' | 'redirect' | 'broken' | 'served' {
  const known = meanings[status];
  if (known !== undefined) return known;
  if (status >= 500) return 'broken';
  if (status >= 400) return 'told';
  return status >= 300 ? 'redirect' : 'served';
}

const named = ({ requestId }: HttpAnswer): string => (requestId === undefined ? '' : ` (request ${requestId.slice(0, 100)})`);
