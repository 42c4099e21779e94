import { createHash } from 'node:crypto';
import pg from 'pg';
import { MillraceError } from '../../schema/errors.ts';
import type { Attempt } from '../connector.ts';
import { translate } from './session-errors.ts';
import type { PostgresSettings } from './settings.ts';
import { quoteIdentifier } from './sql.ts';

/** How `application_name` of sessions that can only read begins; they never hold a cursor's bound back. */
export const readPrefix = 'millrace:read:';

export interface ConnectOptions {
  /** The session can't write: `default_transaction_read_only`, and a name under `readPrefix`. */
  readonly readOnly?: boolean;
  /** More settings of the session, by name: `lock_timeout`, … */
  readonly settings?: Readonly<Record<string, string>>;
  /** Begins the messages of errors: `warehouse`, a connection's name. */
  readonly what?: string;
}

/** One connection with pinned settings, cancelled with its attempt. Close it by `await using`. */
export interface Session extends AsyncDisposable {
  readonly client: pg.Client;
  /** The backend's process id, as `pg_stat_activity` shows it. */
  readonly pid: number;
  /** Rows of a query; values are text but for booleans, small numbers and text arrays. Throws `MillraceError`. */
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** Runs work on the client; its failures become `MillraceError`s, or the signal's reason once the attempt is aborted. */
  run<T>(work: (client: pg.Client) => Promise<T>): Promise<T>;
  /** Cuts the connection without waiting for what runs on it. */
  destroy(): void;
}

const pinned: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  xmloption: 'content',
  search_path: '',
  standard_conforming_strings: 'on',
  statement_timeout: '0',
  transaction_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '10min',
  idle_session_timeout: '0',
  client_connection_check_interval: '10s',
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '3',
};

const pin = `SELECT set_config(s.name, v.value, false)
FROM jsonb_each_text($1::jsonb) v(name, value) JOIN pg_settings s ON lower(s.name) = lower(v.name)
WHERE s.name <> 'client_connection_check_interval' OR version() LIKE '%linux%'`;

// bool, int2, int4, oid, float4, float8, text[], name[]: what JavaScript holds exactly. The rest stays text.
const parsedTypes: ReadonlySet<number> = new Set([16, 21, 23, 26, 700, 701, 1009, 1003]);
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    parsedTypes.has(oid) ? pg.types.getTypeParser(oid, format ?? 'text') : (value: string) => value,
};

/**
 * Throws `config` where the session's settings are not those it was given: a pooler that hands each transaction another server session
 * would let values out in another form. To be asked inside a transaction.
 */
export async function requirePinned(session: Session): Promise<void> {
  const [row] = await session.query<{ pinned: boolean }>(
    `SELECT current_setting('search_path') = '' AND current_setting('TimeZone') = 'UTC' AND pg_backend_pid() = $1 AS pinned`,
    [session.pid],
  );
  if (row?.pinned === true) return;
  throw new MillraceError(
    'config',
    'the connection goes through a pooler that shares server sessions (transaction or statement mode); give the url of the server, or of a pooler in session mode',
  );
}

/** Opens a session for one attempt of a step. Its abort cancels the running statement from a second connection, then cuts this one. */
export async function connect(settings: PostgresSettings, attempt: Attempt, options: ConnectOptions = {}): Promise<Session> {
  attempt.signal.throwIfAborted();
  const what = options.what ?? 'PostgreSQL';
  const client = open(settings, what);
  try {
    await client.connect();
    const name = applicationName(attempt.name, options.readOnly ?? false);
    const all = { ...pinned, default_transaction_read_only: options.readOnly ? 'on' : 'off', ...options.settings, application_name: name };
    await client.query(pin, [JSON.stringify(all)]);
    if (settings.role !== undefined) await client.query(`SET ROLE ${quoteIdentifier(settings.role)}`);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return session(client, rows[0]?.pid ?? 0, settings, attempt.signal, what);
  } catch (error) {
    client.connection.stream.destroy();
    throw translate(error, what);
  }
}

/** The name that sessions of an attempt carry: at most 63 bytes, a digest when it would be longer. */
export function applicationName(attemptName: string, readOnly: boolean): string {
  const name = readOnly ? `${readPrefix}${attemptName.replace(/^millrace:/, '')}` : attemptName;
  if (Buffer.byteLength(name) <= 63) return name;
  const digest = createHash('sha256').update(attemptName).digest('hex').slice(0, 40);
  return `${readOnly ? readPrefix : 'millrace:'}${digest}`;
}

function open(settings: PostgresSettings, what: string): pg.Client {
  try {
    if (!/^postgres(ql)?:\/\//.test(settings.url)) throw new Error('not a url');
    const client = new pg.Client({ connectionString: settings.url, connectionTimeoutMillis: 15_000, keepAlive: true, types });
    // A connection that ends while idle fails the next query; without a listener it would end the process.
    client.on('error', () => undefined);
    return client;
  } catch {
    throw new MillraceError('config', `${what}: the url is not one of PostgreSQL's (postgres://user:password@host:5432/database)`);
  }
}

function session(client: pg.Client, pid: number, settings: PostgresSettings, signal: AbortSignal, what: string): Session {
  const destroy = (): void => void client.connection.stream.destroy();
  const abort = (): void => void cancel(settings, pid).finally(destroy);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const run = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    try {
      signal.throwIfAborted();
      return await work(client);
    } catch (error) {
      throw signal.aborted ? signal.reason : translate(error, what);
    }
  };
  return {
    client,
    pid,
    run,
    destroy,
    query: async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
      run(async () => (await client.query<Row>(text, [...values])).rows),
    [Symbol.asyncDispose]: async () => {
      signal.removeEventListener('abort', abort);
      await close(client, destroy);
    },
  };
}

async function close(client: pg.Client, destroy: () => void): Promise<void> {
  const timer = setTimeout(destroy, 2_000);
  try {
    await client.end();
  } catch {
    destroy();
  } finally {
    clearTimeout(timer);
  }
}

/** Cancels what a backend runs, from a connection of its own; gives up quietly, for the caller then cuts the connection. */
async function cancel(settings: PostgresSettings, pid: number): Promise<void> {
  const client = new pg.Client({ connectionString: settings.url, connectionTimeoutMillis: 3_000, query_timeout: 3_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT pg_cancel_backend($1)', [pid]);
    await client.end();
  } catch {
    client.connection.stream.destroy();
  }
}
