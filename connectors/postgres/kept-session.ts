import { MillraceError } from '../../schema/errors.ts';
import { connect, type Session } from './session.ts';
import type { PostgresSettings } from './settings.ts';
import { ensureBooks } from './warehouse/books.ts';

/** A connection of its own to the books, for what outlives steps: opened when it is first needed, and again after it broke. */
export class KeptSession implements AsyncDisposable {
  readonly #settings: PostgresSettings;
  readonly #what: string;
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settings: PostgresSettings, what: string) {
    this.#settings = settings;
    this.#what = what;
  }

  /** Runs work alone on the connection; once more over a new one when it broke. So work may run again. */
  async run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      try {
        return await work(await this.#open());
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'unavailable') throw error;
        this.#drop();
        return await work(await this.#open());
      }
    });
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await this.#session?.[Symbol.asyncDispose]();
    this.#session = undefined;
  }

  async #open(): Promise<Session> {
    this.#session ??= await openBooks(this.#settings, this.#what, this.#closing.signal, {
      synchronous_commit: 'off',
      statement_timeout: '15s',
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
