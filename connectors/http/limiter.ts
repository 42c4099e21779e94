import { MillraceError } from '../../schema/errors.ts';
import type { Clock } from './clock.ts';
import { slackOf } from './limit-state.ts';
import type { Limits, LimitStore, Permits } from './stores.ts';

export interface LimiterOptions {
  readonly name: string;
  readonly store: LimitStore;
  readonly credential: string;
  readonly limits: Limits;
  /** Milliseconds after which a request has surely ended. */
  readonly lease: number;
  readonly clock: Clock;
}

interface Waiter {
  /** It doesn't wait longer than to this moment. */
  readonly until: number;
  readonly enter: () => void;
  readonly refuse: (error: unknown) => void;
}

/** What was asked to wait longer looks again after this long: somebody may have given leave back. */
const longestNap = 1_000;

/** Where no rate is kept, leave that was taken ahead is good for this long; then a pause of another worker is seen. */
const withoutRate = 250;

/** From so much leave ahead on, more is asked for before it is used up. */
const worthRefilling = 8;

/**
 * Lets requests of one client pass as the shared limits allow. One question to the store is under way at a time, for all that wait; at
 * high rates it takes a little leave ahead, and more before that is used up; it is lost when it isn't used at once.
 */
export class Limiter implements AsyncDisposable {
  readonly #options: LimiterOptions;
  #closed = false;
  /** Ends the nap of those that wait. */
  #nap = new AbortController();
  #waiting: Waiter[] = [];
  #pumping = false;
  /** Leave taken ahead, the oldest first. */
  #stock: { permits: number; readonly until: number }[] = [];
  #recent = { permits: 0, since: 0, before: 0 };
  #pauses = 0;
  #returned = 0;
  #returning: Promise<void> | undefined;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /** Waits for leave, at most `patience` milliseconds. Throws `rate-limited` with the wait that is left, or the signal's reason. */
  async enter(patience: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = this.#options.clock.now();
    if (this.#waiting.length === 0 && this.#draw(now)) return;
    let abort = (): void => undefined;
    const entered = new Promise<void>((enter, refuse) => {
      const waiter: Waiter = { until: now + patience, enter, refuse };
      abort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        refuse(signal.reason);
      };
      this.#waiting.push(waiter);
    });
    signal.addEventListener('abort', abort, { once: true });
    void this.#pump();
    try {
      await entered;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** A request that had leave has ended. */
  leave(): void {
    if (this.#options.limits.concurrency === undefined) return;
    this.#returned += 1;
    this.#returning ??= this.#giveBack();
  }

  /** No request of the credential for a while. */
  async pause(milliseconds: number): Promise<void> {
    this.#stock = [];
    this.#pauses += 1;
    await this.#options.store.pause(this.#options.credential, milliseconds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#nap.abort();
    await this.#returning;
  }

  async #giveBack(): Promise<void> {
    const { store, credential } = this.#options;
    // What can't be given back comes back with its lease.
    for (; this.#returned > 0;) {
      const permits = this.#returned;
      this.#returned = 0;
      await store.giveBack(credential, permits).catch(() => undefined);
      this.#nap.abort();
    }
    this.#returning = undefined;
  }

  async #pump(): Promise<void> {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    try {
      do await this.#ask();
      while (this.#waiting.length > 0 && !this.#closed);
    } catch (error) {
      for (const { refuse } of this.#waiting.splice(0)) refuse(error);
    } finally {
      this.#pumping = false;
    }
  }

  async #ask(): Promise<void> {
    const { store, credential, limits, lease, clock } = this.#options;
    const asked = clock.now();
    const pauses = this.#pauses;
    const wanted = this.#waiting.length + Math.max(0, this.#ahead(asked) - this.#left(asked));
    if (wanted === 0) return;
    const permits = await store.take(credential, limits, wanted, lease);
    // Leave that took too long to come could be used when it doesn't count any more.
    if (clock.now() - asked > this.#validity() + longestNap / 2) return this.#unused(permits.granted);
    if (permits.granted > 0) return this.#admit(permits.granted, asked, pauses);
    this.#refuseImpatient(permits, clock.now());
    if (this.#waiting.length === 0 || this.#closed) return;
    this.#nap = new AbortController();
    await clock.sleep(Math.min(permits.wait, longestNap), this.#nap.signal).catch(() => undefined);
  }

  #admit(granted: number, asked: number, pauses: number): void {
    const admitted = this.#waiting.splice(0, granted);
    for (const { enter } of admitted) enter();
    this.#count(admitted.length, asked);
    const left = granted - admitted.length;
    if (this.#options.limits.concurrency !== undefined) return this.#unused(left);
    if (left > 0 && pauses === this.#pauses) this.#stock.push({ permits: left, until: asked + this.#validity() });
  }

  /** Takes leave of what was taken ahead, if there is any. */
  #draw(now: number): boolean {
    if (this.#left(now) === 0) return false;
    const [first] = this.#stock;
    if (first !== undefined) first.permits -= 1;
    this.#count(1, now);
    const ahead = this.#ahead(now);
    if (ahead >= worthRefilling && this.#left(now) < ahead / 2) void this.#pump();
    return true;
  }

  /** How much of what was taken ahead is good still. */
  #left(now: number): number {
    this.#stock = this.#stock.filter(({ permits, until }) => permits > 0 && now < until);
    return this.#stock.reduce((sum, { permits }) => sum + permits, 0);
  }

  #unused(permits: number): void {
    for (let no = 0; no < permits; no++) this.leave();
  }

  #refuseImpatient({ wait, reason }: Permits, now: number): void {
    const { name } = this.#options;
    // Naps end a little late: who would have to wait to the end of its patience may.
    const isImpatient = ({ until }: Waiter): boolean => until < now + wait;
    const impatient = this.#waiting.filter(isImpatient);
    this.#waiting = this.#waiting.filter((waiter) => !isImpatient(waiter));
    const sentence = `connection ${name}: no request for ${Math.ceil(wait / 1000)} s (${reason}); it goes on by itself`;
    for (const { refuse } of impatient) refuse(new MillraceError('rate-limited', sentence, { retryAfter: wait }));
  }

  #validity(): number {
    const { rate } = this.#options.limits;
    return rate === undefined ? withoutRate : slackOf(rate.per);
  }

  /** How many to ask for beyond those that wait: what was used in as long as they are good for, and little of a limit. */
  #ahead(now: number): number {
    const { rate, concurrency, daily } = this.#options.limits;
    if (concurrency !== undefined || daily !== undefined) return 0;
    const recent = now - this.#recent.since < 2 * this.#validity() ? Math.max(this.#recent.permits, this.#recent.before) : 0;
    return Math.min(recent, rate === undefined ? 100 : Math.floor(rate.requests / 50));
  }

  #count(permits: number, now: number): void {
    const age = now - this.#recent.since;
    if (age > this.#validity()) this.#recent = { permits: 0, since: now, before: age < 2 * this.#validity() ? this.#recent.permits : 0 };
    this.#recent.permits += permits;
  }
}
