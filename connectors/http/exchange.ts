import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import axios, { AxiosHeaders, type AxiosResponse } from 'axios';
import { MillraceError } from '../../schema/errors.ts';
import { readBody, TooLarge } from './body.ts';
import { checkUrl, guardedLookup, type Egress } from './egress.ts';
import type { IncomingAnswer, OutgoingRequest } from './stores.ts';

export interface ExchangeOptions extends Egress {
  /** Bytes of an answer at most, inflated; 32 MB by default. */
  readonly maxBytes?: number;
}

interface ExchangeAttempt {
  /** Begins messages: `connection crm: GET /contacts`. */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Milliseconds from connecting to the last byte of the answer. */
  readonly timeout: number;
}

/** Sends single requests over kept connections, past the egress guard; closes them in the end. */
export interface Exchange extends Disposable {
  /**
   * Throws `unavailable` when the request surely wasn't sent, `unknown` when it was and there is no whole answer, `config` when the guard
   * refuses or the answer is too large.
   */
  send(request: OutgoingRequest, attempt: ExchangeAttempt): Promise<IncomingAnswer>;
}

/** Unused connections are closed before servers do it, so that requests seldom go into a connection that is just being closed. */
const idle = 4_000;

interface Progress {
  sent: boolean;
}

/** Makes requests that tell when they have a connection: before that nothing was sent. */
function tracked(progress: Progress): { request(options: RequestOptions, callback: (response: IncomingMessage) => void): ClientRequest } {
  return {
    request(options, callback) {
      const secure = options.protocol === 'https:';
      const request = (secure ? https : http).request(options, callback);
      request.once('socket', (socket) => {
        if (request.reusedSocket) progress.sent = true;
        else socket.once(secure ? 'secureConnect' : 'connect', () => (progress.sent = true));
      });
      return request;
    },
  };
}

/** Aborts with the step or when the time is over; the first tells which it was. */
class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #step: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  readonly #abort = (): void => this.#controller.abort();
  over = false;

  constructor(step: AbortSignal, timeout: number) {
    step.throwIfAborted();
    this.#step = step;
    step.addEventListener('abort', this.#abort, { once: true });
    this.#timer = setTimeout(() => {
      this.over = true;
      this.#abort();
    }, timeout);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#step.removeEventListener('abort', this.#abort);
  }
}

/** The MillraceError that a failure was caused by: the guard's refusal comes wrapped in the socket's and the library's. */
function refusalIn(error: unknown): MillraceError | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (cause instanceof MillraceError && cause.code === 'config') return cause;
  }
  return undefined;
}

function failure(error: unknown, { what, signal, timeout }: ExchangeAttempt, sent: boolean, late: boolean): unknown {
  if (signal.aborted) return signal.reason;
  const refusal = refusalIn(error);
  if (refusal !== undefined) return refusal;
  if (error instanceof TooLarge) {
    return new MillraceError(
      'config',
      `${what}: the answer is larger than is allowed, or inflates to far more than was sent; ask for less`,
    );
  }
  if (unsendable.has(codeOf(error))) {
    return new MillraceError(
      'config',
      `${what}: a header or the path holds characters that can't be sent; check the connection's settings`,
    );
  }
  return sent ? halfDone(error, what, late ? timeout : undefined) : notSent(error, what, late ? timeout : undefined);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';

const unsendable: ReadonlySet<string> = new Set([' (ERR_INVALID_CHAR)', ' (ERR_UNESCAPED_CHARACTERS)', ' (ERR_INVALID_HTTP_TOKEN)']);

function notSent(error: unknown, what: string, timeout: number | undefined): MillraceError {
  const why = timeout === undefined ? `the server can't be reached${codeOf(error)}` : `no connection within ${timeout / 1000} s`;
  return new MillraceError('unavailable', `${what}: ${why}; nothing was sent. Check the url and the network`);
}

function halfDone(error: unknown, what: string, timeout: number | undefined): MillraceError {
  if (timeout !== undefined) return new MillraceError('unknown', `${what}: no answer within ${timeout / 1000} s (request_timeout)`);
  if (error instanceof MillraceError) return new MillraceError('unknown', `${what}: ${error.message}`);
  return new MillraceError('unknown', `${what}: the connection ended before the answer was whole${codeOf(error)}`);
}

function headersOf(response: IncomingMessage): Readonly<Record<string, string>> {
  const entries = Object.entries(response.headers);
  return Object.fromEntries(entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]));
}

/** The library without what it does before and after: merging of settings, transforms and interceptors take as long as the request itself. */
const adapter = axios.getAdapter('http');

/** Opens what single requests go through. */
export function openExchange(options: ExchangeOptions): Exchange {
  const agentOptions = { keepAlive: true, timeout: idle, lookup: guardedLookup(options) };
  const httpAgent = new http.Agent(agentOptions);
  const httpsAgent = new https.Agent(agentOptions);
  const maxBytes = options.maxBytes ?? 32 * 1024 * 1024;

  const exchange = async (request: OutgoingRequest, progress: Progress, deadline: Deadline): Promise<IncomingAnswer> => {
    const response: AxiosResponse<IncomingMessage> = await adapter({
      method: request.method,
      url: request.url,
      headers: new AxiosHeaders({ 'accept-encoding': 'gzip, deflate, br', 'user-agent': 'millrace', ...request.headers }),
      ...(request.body === undefined ? {} : { data: Buffer.from(request.body) }),
      signal: deadline.signal,
      transport: tracked(progress),
      httpAgent,
      httpsAgent,
      responseType: 'stream',
      decompress: false,
      // A redirect or a proxy of the environment would lead around the guard.
      maxRedirects: 0,
      proxy: false,
      maxBodyLength: Infinity,
      validateStatus: () => true,
    });
    const message = response.data;
    const cut = (): void => void message.destroy();
    deadline.signal.addEventListener('abort', cut, { once: true });
    if (deadline.signal.aborted) cut();
    const bytes = await readBody(message, maxBytes);
    deadline.signal.throwIfAborted();
    return { status: response.status, headers: headersOf(message), body: bytes.toString('utf8').replace(/^\uFEFF/, '') };
  };

  return {
    async send(request, attempt) {
      checkUrl(new URL(request.url), options);
      const progress: Progress = { sent: false };
      using deadline = new Deadline(attempt.signal, attempt.timeout);
      try {
        return await exchange(request, progress, deadline);
      } catch (error) {
        throw failure(error, attempt, progress.sent, deadline.over);
      }
    },
    [Symbol.dispose]() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
