import { createHmac } from 'node:crypto';
import { MillraceError, type ErrorCode } from '../../schema/errors.ts';
import type { Posted } from '../../schema/webhook.ts';
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
  const { name, signal } = options;
  const body = JSON.stringify(bodyOf(message, options.template));
  const response = await post(parse(settings, name), { name, what: 'the alert', signal, headers: {}, body }).catch((error: unknown) => {
    // An alert that may have arrived is posted again: one too many is better than none.
    throw error instanceof MillraceError && error.code === 'unknown' ? new MillraceError('unavailable', error.message) : error;
  });
  if (response === undefined) return false;
  const problem = problemOf(response, 'it refuses the message: check its template');
  if (problem === undefined) return true;
  const retry = problem.code === 'rate-limited' ? { retryAfter: retryAfter(response) } : {};
  throw new MillraceError(problem.code, `connection ${name}: ${sentenceOf(response, problem)}`, retry);
}

export interface SignedChange {
  /** The same for each attempt and replay: whoever takes it twice can tell by it. */
  readonly delivery: string;
  /** JSON. */
  readonly body: string;
}

/**
 * Posts a change to a webhook, signed with the connection's secret, and says what became of it. Throws `config` for settings that name
 * no address; an empty one counts as taken.
 */
export async function postChange(
  settings: unknown,
  { delivery, body }: SignedChange,
  { name, signal }: Omit<PostOptions, 'template'>,
): Promise<Posted> {
  const parsed = parse(settings, name);
  const signed = parsed.secret === undefined ? {} : { 'millrace-signature': signatureOf(parsed.secret, body, Date.now()) };
  const headers = { 'millrace-delivery': delivery, ...signed };
  try {
    const response = await post(parsed, { name, what: 'the change', signal, headers, body });
    const problem = response === undefined ? undefined : problemOf(response, 'it refuses the change');
    if (response === undefined || problem === undefined) return { kind: 'taken' };
    const wait = waitOf(response.headers, Date.now());
    const lasting = !passing.has(problem.code);
    return { kind: 'refused', reason: sentenceOf(response, problem), lasting, ...(wait === undefined ? {} : { retryAfter: wait }) };
  } catch (error) {
    if (!(error instanceof MillraceError) || signal.aborted) throw error;
    return { kind: 'refused', reason: error.message, lasting: !passing.has(error.code) };
  }
}

const passing: ReadonlySet<ErrorCode> = new Set(['unavailable', 'unknown', 'rate-limited']);

/** `t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "<t>.<body>">` */
function signatureOf(secret: string, body: string, now: number): string {
  const time = Math.floor(now / 1000);
  return `t=${time},v1=${createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')}`;
}

interface Post {
  readonly name: string;
  readonly what: string;
  readonly signal: AbortSignal;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The answer to a post; undefined when the connection's url is empty. */
async function post(settings: WebhookSettings, { name, what, signal, headers, body }: Post): Promise<IncomingAnswer | undefined> {
  if (settings.url === '') return undefined;
  const url = parseUrl(settings.url, name);
  using exchange = openExchange({ name, allowPrivate: settings.allow_private ?? false, maxBytes: 64 * 1024 });
  const request = { method: 'POST', url: url.href, headers: { 'content-type': 'application/json', ...headers }, body };
  return await exchange.send(request, { what: `connection ${name}: ${what}`, signal, timeout });
}

interface Problem {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const sentenceOf = ({ status }: IncomingAnswer, { remedy }: Problem): string => `the webhook answered HTTP ${status}; ${remedy}`;

const problems: Readonly<Record<number, Problem>> = {
  401: { code: 'auth', remedy: 'its url or token is refused' },
  403: { code: 'auth', remedy: 'its url or token is refused' },
  404: { code: 'not-found', remedy: 'its url is wrong or was revoked' },
  408: { code: 'unavailable', remedy: 'it is tried again' },
  410: { code: 'not-found', remedy: 'its url is wrong or was revoked' },
  425: { code: 'unavailable', remedy: 'it is tried again' },
  429: { code: 'rate-limited', remedy: 'it is tried again later' },
};

/** What an answer other than 2xx means; `refused` says it of those that nothing else is known of. */
function problemOf({ status }: IncomingAnswer, refused: string): Problem | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status >= 500) return { code: 'unavailable', remedy: 'it is tried again' };
  if (status >= 300 && status < 400) return { code: 'config', remedy: 'redirects are not followed: give the final url' };
  return problems[status] ?? { code: 'config', remedy: refused };
}

/** Milliseconds that the answer asks to wait, from a second to an hour. */
function retryAfter({ headers }: IncomingAnswer): number {
  return Math.min(Math.max(waitOf(headers, Date.now()) ?? 30_000, 1_000), 3_600_000);
}
