import type { ChangesListener } from '../../gateway-books.ts';
import { openBooks } from '../kept-session.ts';
import type { Session } from '../session.ts';
import type { PostgresSettings } from '../settings.ts';
import { changesAfter, latestChange } from './changes.ts';

/** Milliseconds between looks at the table without a notification: proves the connection, and finds one that nobody told of. */
const heartbeat = 2_000;
/** Milliseconds that a look may take before the connection counts as lost. */
const patience = 3_000;
const page = 1_000;
const firstWait = 100;
const longestWait = 5_000;

/**
 * Follows the changes: a notification, or a moment's silence, leads to a look into the table behind the last change given. So none is
 * given twice or missed, whatever became of notifications and connections.
 */
export class ChangesFollower implements AsyncDisposable {
  readonly #settings: PostgresSettings;
  readonly #what: string;
  readonly #listener: ChangesListener;
  readonly #closing = new AbortController();
  #last: string | undefined;
  #live = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(settings: PostgresSettings, what: string, listener: ChangesListener, after?: string) {
    this.#settings = settings;
    this.#what = what;
    this.#listener = listener;
    this.#last = after;
  }

  /** Comes back when it is live, or when the first attempt failed; goes on until disposed. */
  async start(): Promise<void> {
    await new Promise<void>((tried) => {
      this.#ended = this.#follow(tried);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('closed'));
    await this.#ended;
  }

  async #follow(tried: () => void): Promise<void> {
    let wait = firstWait;
    while (!this.#closing.signal.aborted) {
      try {
        await this.#session(() => {
          wait = firstWait;
          this.#setLive(true);
          tried();
        });
      } catch {
        // Each failure is answered by another connection; `onLive` tells of it.
      }
      this.#setLive(false);
      tried();
      await pause(wait + Math.random() * wait, this.#closing.signal);
      wait = Math.min(wait * 2, longestWait);
    }
  }

  /** One connection's life: ends by throwing, or when this is disposed. */
  async #session(live: () => void): Promise<void> {
    const session = await openBooks(this.#settings, this.#what, this.#closing.signal, { statement_timeout: '15s' });
    const bell = new Bell();
    session.client.on('notification', () => bell.ring());
    session.client.on('error', () => bell.ring());
    session.client.on('end', () => bell.ring());
    try {
      await within(session, async () => {
        await session.query('LISTEN millrace_changes');
        this.#last ??= await latestChange(session);
      });
      await this.#drain(session);
      live();
      while (!this.#closing.signal.aborted) {
        await bell.wait(heartbeat, this.#closing.signal);
        if (!this.#closing.signal.aborted) await this.#drain(session);
      }
    } finally {
      session.destroy();
    }
  }

  async #drain(session: Session): Promise<void> {
    for (;;) {
      const changes = await within(session, async () => await changesAfter(session, this.#last ?? '0', page));
      for (const change of changes) {
        if (this.#closing.signal.aborted) return;
        this.#last = change.id;
        this.#listener.onChange(change);
      }
      if (changes.length < page) return;
    }
  }

  #setLive(live: boolean): void {
    if (live === this.#live) return;
    this.#live = live;
    this.#listener.onLive(live);
  }
}

async function within<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => session.destroy(), patience);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}

/** Rung at any time, also before somebody waits. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(longest: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, longest);
        signal.addEventListener('abort', wake, { once: true });
        this.#wake = wake;
      });
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}

const pause = async (milliseconds: number, signal: AbortSignal): Promise<void> => await new Bell().wait(milliseconds, signal);
