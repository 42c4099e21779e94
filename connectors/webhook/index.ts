import { MillraceError, type ErrorCode } from '../../schema/errors.ts';
import { openExchange } from '../http/exchange.ts';
import type { IncomingAnswer } from '../http/stores.ts';
import { waitOf } from '../http/wait.ts';
import { bodyOf, type Message } from './message.ts';
import { webhookSettings, type WebhookSettings } from './settings.ts';

export type { Message } from './message.ts';

const timeout = 15_000;

export interface PostOptions {
  /** Name of the connection, for messages. */
  readonly name: string;
  readonly template: 'json' | 'slack';
  readonly signal: AbortSignal;
}

function parse(settings: unknown, name: string): WebhookSettings {
  const parsed = webhookSettings.safeParse(settings);
  if (parsed.success) return parsed.data;
  throw new MillraceError('config', `connection ${name}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`);
}

function parseUrl(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw new MillraceError('config', `connection ${name}: its url must begin with https:// or http://`);
}

/**
 * Posts an alert to a webhook. False when the connection's url is empty: alerts are logged only. Throws `unavailable` and `rate-limited`
 * for what passes, `auth`, `not-found` and `config` for what doesn't; no message holds the address, which may be a secret.
 */
export async function postAlert(settings: unknown, message: Message, options: PostOptions): Promise<boolean> {
  const { name } = options;
  const { url: text, allow_private: allowPrivate = false } = parse(settings, name);
  if (text === '') return false;
  const url = parseUrl(text, name);
  using exchange = openExchange({ name, allowPrivate, maxBytes: 64 * 1024 });
  const body = JSON.stringify(bodyOf(message, options.template));
  const request = { method: 'POST', url: url.href, headers: { 'content-type': 'application/json' }, body };
  const attempt = { what: `connection ${name}: the alert`, signal: options.signal, timeout };
  const response = await exchange.send(request, attempt).catch((error: unknown) => {
    // An alert that may have arrived is posted again: one too many is better than none.
    throw error instanceof MillraceError && error.code === 'unknown' ? new MillraceError('unavailable', error.message) : error;
  });
  const problem = problemOf(response);
  if (problem === undefined) return true;
  const sentence = `connection ${name}: the webhook answered HTTP ${response.status}; ${problem.remedy}`;
  throw new MillraceError(problem.code, sentence, problem.code === 'rate-limited' ? { retryAfter: retryAfter(response) } : {});
}

interface Problem {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const problems: Readonly<Record<number, Problem>> = {
  401: { code: 'auth', remedy: 'its url or token is refused' },
  403: { code: 'auth', remedy: 'its url or token is refused' },
  404: { code: 'not-found', remedy: 'its url is wrong or was revoked' },
  408: { code: 'unavailable', remedy: 'it is tried again' },
  410: { code: 'not-found', remedy: 'its url is wrong or was revoked' },
  429: { code: 'rate-limited', remedy: 'it is tried again later' },
};

/** What an answer other than 2xx means. */
function problemOf({ status }: IncomingAnswer): Problem | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status >= 500) return { code: 'unavailable', remedy: 'it is tried again' };
  if (status >= 300 && status < 400) return { code: 'config', remedy: 'redirects are not followed: give the final url' };
  return problems[status] ?? { code: 'config', remedy: 'it refuses the message: check its template' };
}

/** Milliseconds that the answer asks to wait, from a second to an hour. */
function retryAfter({ headers }: IncomingAnswer): number {
  return Math.min(Math.max(waitOf(headers, Date.now()) ?? 30_000, 1_000), 3_600_000);
}
