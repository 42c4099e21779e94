import type pg from 'pg';
import type { Attempt } from '../../connector.ts';
import { connect, type Session } from '../session.ts';
import type { PostgresSettings } from '../settings.ts';
import { ensureBooks } from '../warehouse/books.ts';

/** The one connection of a value of sync books; it is made anew when it ended, and for another attempt. Work on it goes one after the other. */
export interface BooksConnection extends AsyncDisposable {
  readonly settings: PostgresSettings;
  /** The connection's name, for messages. */
  readonly name: string;
  /** Runs work; the books are there. */
  run<T>(attempt: Attempt, work: (client: pg.Client) => Promise<T>): Promise<T>;
  /** Runs work between `BEGIN` and `COMMIT`. */
  transaction<T>(attempt: Attempt, work: (client: pg.Client) => Promise<T>): Promise<T>;
}

export function booksConnection(settings: PostgresSettings, name: string): BooksConnection {
  let open: { readonly session: Session; readonly signal: AbortSignal } | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const sessionOf = async (attempt: Attempt): Promise<Session> => {
    if (open?.signal === attempt.signal) return open.session;
    await open?.session[Symbol.asyncDispose]();
    open = undefined;
    // Who holds locks and says nothing for ten seconds is ended, so that the next attempt can take the books.
    // Tables that were small when they were last analysed grow with each statement: their rows are found by key all the same.
    const session = await connect(settings, attempt, {
      what: `connection ${name}`,
      settings: { idle_in_transaction_session_timeout: '10s', enable_seqscan: 'off' },
    });
    session.client.once('end', () => {
      if (open?.session === session) open = undefined;
    });
    open = { session, signal: attempt.signal };
    await session.run(ensureBooks);
    return session;
  };
  const run = async <T>(attempt: Attempt, work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const turn = last.then(async () => await (await sessionOf(attempt)).run(work));
    last = turn.catch(() => undefined);
    return await turn;
  };
  return {
    settings,
    name,
    run,
    transaction: async (attempt, work) => await run(attempt, async (client) => await inTransaction(client, work)),
    [Symbol.asyncDispose]: async () => {
      await last;
      await open?.session[Symbol.asyncDispose]();
      open = undefined;
    },
  };
}

async function inTransaction<T>(client: pg.Client, work: (client: pg.Client) => Promise<T>): Promise<T> {
  try {
    await client.query('BEGIN; SET LOCAL synchronous_commit = on');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
