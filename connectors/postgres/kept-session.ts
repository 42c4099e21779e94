import { MillraceError } from '../../schema/errors.ts';
import { connect, type Session } from './session.ts';
import type { PostgresSettings } from './settings.ts';
import { ensureBooks } from './warehouse/books.ts';

export interface KeptOptions {
  /** Settings of the session, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Milliseconds after which work on it counts as lost with its connection: a network that swallows packets tells nobody. */
  readonly deadline?: number;
}

/** Milliseconds that closing waits for work under way. */
const patience = 5_000;

/** A connection of its own to the books, for what outlives steps: opened when it is first needed, and again after it broke. */
export class KeptSession implements AsyncDisposable {
  readonly #settings: PostgresSettings;
  readonly #what: string;
  readonly #options: KeptOptions;
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settings: PostgresSettings, what: string, options: KeptOptions = {}) {
    this.#settings = settings;
    this.#what = what;
    this.#options = options;
  }

  /** Runs work alone on the connection; once more over a new one when it broke. So work may run again. */
  async run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      try {
        return await this.#work(work);
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'unavailable') throw error;
        this.#drop();
        return await this.#work(work);
      }
    });
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  /** Waits a little for what is under way, then cuts it off. */
  async [Symbol.asyncDispose](): Promise<void> {
    const cut = setTimeout(() => this.#closing.abort(new MillraceError('unavailable', `${this.#what}: closed`)), patience);
    await this.#turn;
    clearTimeout(cut);
    await this.#session?.[Symbol.asyncDispose]();
    this.#session = undefined;
  }

  async #work<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#open();
    if (this.#options.deadline === undefined) return await work(session);
    const timer = setTimeout(() => session.destroy(), this.#options.deadline);
    try {
      return await work(session);
    } finally {
      clearTimeout(timer);
    }
  }

  async #open(): Promise<Session> {
    this.#session ??= await openBooks(this.#settings, this.#what, this.#closing.signal, {
      synchronous_commit: 'off',
      statement_timeout: '15s',
      ...this.#options.settings,
    });
    return this.#session;
  }

  #drop(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }
}

/** A session with the books made or migrated. */
export async function openBooks(
  settings: PostgresSettings,
  what: string,
  signal: AbortSignal,
  more: Readonly<Record<string, string>>,
): Promise<Session> {
  const session = await connect(settings, { signal, name: 'millrace:books', beat: () => undefined }, { what, settings: more });
  try {
    await session.run(ensureBooks);
    return session;
  } catch (error) {
    session.destroy();
    throw error;
  }
}
