import { MillraceError } from '../../../schema/errors.ts';
import { connect, type Session } from '../session.ts';
import type { PostgresSettings } from '../settings.ts';
import { takeRole } from './role.ts';

/** A session of the pool, with the lengths of the statements prepared on it by name, the least recently used first. */
export interface PooledSession {
  readonly session: Session;
  readonly prepared: Map<string, number>;
  /** Has answered before: that it is broken may only mean that the server was started again. */
  used: boolean;
  broken: boolean;
  /** Cancels what runs and cuts the connection. */
  abort(reason: unknown): void;
}

export interface SessionOptions {
  readonly settings: PostgresSettings;
  readonly what: string;
  /** Taken instead of the connection's own; policies must hold for it. */
  readonly role: string | undefined;
  /** Milliseconds for a statement. */
  readonly timeout: number;
}

/** Opens a session that can't write, as the role that is given. */
export async function openDatasetSession({ settings, what, role, timeout }: SessionOptions): Promise<PooledSession> {
  const cut = new AbortController();
  const attempt = { signal: cut.signal, name: 'millrace:gateway', beat: () => undefined };
  // Names without a schema are in public, as in models.
  const more = { statement_timeout: `${timeout}ms`, search_path: 'public', idle_in_transaction_session_timeout: '1min' };
  const session = await connect(settings, attempt, { readOnly: true, what, settings: more });
  const pooled: PooledSession = { session, prepared: new Map(), used: false, broken: false, abort: (reason) => cut.abort(reason) };
  const broke = (): void => void (pooled.broken = true);
  session.client.on('error', broke).on('end', broke);
  try {
    if (role !== undefined) await takeRole(session, role, what);
    return pooled;
  } catch (error) {
    session.destroy();
    throw error;
  }
}

interface Waiter {
  /** Its place in the order of arrival. */
  readonly no: number;
  readonly give: (session: PooledSession) => void;
  readonly fail: (error: unknown) => void;
}

/** Sessions that are opened when they are needed, up to a number, and kept. Who finds none free waits, first come first served. */
export class SessionPool implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #most: number;
  readonly #idle: PooledSession[] = [];
  readonly #all = new Set<PooledSession>();
  readonly #waiters: Waiter[] = [];
  #opening = 0;
  #came = 0;
  #closed = false;

  constructor(options: SessionOptions, most: number) {
    this.#options = options;
    this.#most = Math.max(1, most);
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** A session for the caller alone, to be given back by `release`. */
  async acquire(): Promise<PooledSession> {
    if (this.#closed) throw new MillraceError('unavailable', `${this.#options.what}: its sessions are closed`);
    const idle = this.takeIdle();
    if (idle !== undefined) return idle;
    return await new Promise<PooledSession>((give, fail) => {
      this.#waiters.push({ no: ++this.#came, give, fail });
      this.#openMore();
    });
  }

  /** The same for one that is open and free at once. */
  takeIdle(): PooledSession | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.broken) return idle;
      this.#all.delete(idle);
    }
    return undefined;
  }

  release(session: PooledSession): void {
    if (session.broken || this.#closed) {
      this.#all.delete(session);
      session.session.destroy();
      this.#openMore();
      return;
    }
    const next = this.#waiters.shift();
    if (next === undefined) this.#idle.push(session);
    else next.give(session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#idle.length = 0;
    const error = new MillraceError('unavailable', `${this.#options.what}: its sessions are closed`);
    for (const waiter of this.#waiters.splice(0)) waiter.fail(error);
    await Promise.all([...this.#all].map(async ({ session }) => await session[Symbol.asyncDispose]()));
  }

  /** Opens a session for who waits, where there is room for one. */
  #openMore(): void {
    if (this.#closed || this.#waiters.length <= this.#opening || this.#all.size + this.#opening >= this.#most) return;
    this.#opening++;
    void this.#open();
  }

  /** Twice, for a server that is started again ends even sessions that are just opened. */
  async #open(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const came = this.#came;
      try {
        const session = await openDatasetSession(this.#options);
        this.#opening--;
        this.#all.add(session);
        this.release(session);
        break;
      } catch (error) {
        if (attempt === 1 && error instanceof MillraceError && error.code === 'unavailable') continue;
        this.#opening--;
        this.#failed(error, came);
        break;
      }
    }
    this.#openMore();
  }

  /** Tells those who waited as the attempt began: what began before somebody came says nothing about his. */
  #failed(error: unknown, came: number): void {
    const old = this.#waiters.filter(({ no }) => no <= came).length;
    // Where nothing is open nobody comes to give a session back.
    const nothing = this.#all.size === 0 && this.#opening === 0;
    for (const waiter of this.#waiters.splice(0, nothing ? old : Math.min(old, 1))) waiter.fail(error);
  }
}
