import { z } from 'zod';
import { MillraceError, type ErrorCode } from '../../schema/errors.ts';
import type { ApplicationContext, Outcome, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '../http/client.ts';
import { createHttpClient } from '../http/http-client.ts';
import { waitOf } from '../http/wait.ts';
import type { HubspotSettings } from './settings.ts';

/** An account that is open for one step. */
export interface Account {
  /** The connection's name, for messages. */
  readonly name: string;
  readonly url: string;
  readonly client: HttpClient;
}

/** Of errors only what is used: https://developers.hubspot.com/docs/api-reference/error-handling */
const reply = z.looseObject({
  message: z.string().optional(),
  category: z.string().optional(),
  policyName: z.string().optional(),
  errors: z.array(z.looseObject({ context: z.record(z.string(), z.unknown()).optional() })).optional(),
});
type Reply = z.infer<typeof reply>;

const replyOf = ({ body }: HttpAnswer): Reply => reply.safeParse(body).data ?? {};

/** Waits of answers that say which limit was met, where no header says how long: a daily limit ends at midnight of the account, wherever that is. */
const waits: Readonly<Record<string, number>> = { SECONDLY: 1000, TEN_SECONDLY_ROLLING: 2500, DAILY: 3_600_000 };
/** The account is being moved to another data centre. */
const migration = 3_600_000;

function throttled(answer: HttpAnswer): number | undefined {
  const { status, headers } = answer;
  if (status === 477) return waitOf(headers, Date.now()) ?? migration;
  if (status !== 429) return undefined;
  return waitOf(headers, Date.now()) ?? waits[replyOf(answer).policyName ?? ''];
}

/** Opens the API of an account; nothing is asked yet. */
export function openAccount(settings: HubspotSettings, name: string, context: ApplicationContext): Account {
  const { token, oauth, url = 'https://api.hubapi.com', type: _type, ...parts } = settings;
  const auth =
    oauth === undefined
      ? ({ type: 'bearer', token: token ?? '' } as const)
      : ({ type: 'oauth2', grant: 'refresh_token', token_url: new URL('/oauth/v1/token', url).href, ...oauth } as const);
  const client = createHttpClient({
    name,
    baseUrl: url,
    settings: { ...parts, auth },
    context,
    // Of private apps of a Professional account: https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
    limits: { rate: { requests: 190, per: 10_000 } },
    requestIdHeaders: ['x-hubspot-correlation-id'],
    throttled,
  });
  return { name, url, client };
}

/** The body of a good answer, as a schema has it. Throws `unknown` when HubSpot would not have answered so. */
export function parse<T>({ name }: Account, schema: z.ZodType<T>, { status, body }: HttpAnswer): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new MillraceError('unknown', `connection ${name}: HubSpot answered HTTP ${status} without what it is to hold`);
}

const isGood = ({ status }: HttpAnswer): boolean => status >= 200 && status < 300;

/**
 * Asks, and returns good answers, and those that say that something is locked (423, 409) for `again`. Throws `rejected` for what the request holds, without
 * values of its rows, `auth`, `not-found` and `config`, and what the client throws.
 */
export async function ask(account: Account, request: HttpRequest, rows: readonly OutgoingRow[], attempt: Attempt): Promise<HttpAnswer> {
  const answer = await account.client.request(request, attempt);
  if (isGood(answer) || isLocked(answer)) return answer;
  throw refusal(account, request, answer, rows);
}

const alreadyThere = /already (?:exists|used)/i;

/** Held by another writer for a moment. A 409 that says that the object is there is no lock. */
function isLocked(answer: HttpAnswer): boolean {
  const { message = '' } = replyOf(answer);
  return answer.status === 423 || (answer.status === 409 && !alreadyThere.test(message));
}

/** Locks last two seconds. */
const lockWait = 2000;

/** Outcomes of rows that met a lock; undefined when the answer is a good one. */
export function again(answer: HttpAnswer, rows: readonly OutgoingRow[]): readonly Outcome[] | undefined {
  if (isGood(answer)) return undefined;
  const after = Math.max(lockWait, waitOf(answer.headers, Date.now()) ?? 0);
  const reason = withoutValues(replyOf(answer).message ?? 'locked', rows);
  return rows.map(() => ({ status: 'again', reason, after, ...named(answer) }));
}

/** The request's name at HubSpot, for outcomes. */
export const named = ({ requestId }: HttpAnswer): { readonly requestId?: string } => (requestId === undefined ? {} : { requestId });

function refusal({ name }: Account, { method, path, route }: HttpRequest, answer: HttpAnswer, rows: readonly OutgoingRow[]): MillraceError {
  const { message = '', errors = [] } = replyOf(answer);
  const said = message === '' ? '' : `: ${reasonOf(message, rows)}`;
  const scopes = answer.status === 403 ? errors.flatMap(({ context }) => Object.values(context ?? {})).flat() : [];
  const missing = scopes.length === 0 ? '' : `; the app needs ${scopes.join(', ')}`;
  const sentence = `connection ${name}: HubSpot answered HTTP ${answer.status} to ${method} ${route ?? path}${said}${missing}`;
  return new MillraceError(codeOf(answer), sentence);
}

const codes: Readonly<Record<number, ErrorCode>> = { 403: 'auth', 404: 'not-found', 405: 'config', 415: 'config' };

function codeOf(answer: HttpAnswer): ErrorCode {
  const { message = '', category } = replyOf(answer);
  if (/infer object type/i.test(message)) return 'not-found';
  if (answer.status < 400) return 'config';
  return category === 'OBJECT_NOT_FOUND' ? 'rejected' : (codes[answer.status] ?? 'rejected');
}

const propertyErrors = z.array(z.looseObject({ name: z.string(), error: z.string(), message: z.string().optional() }));

/** HubSpot's reason without values of the rows; of properties that it doesn't take, their names and what is wrong. */
export function reasonOf(message: string, rows: readonly OutgoingRow[]): string {
  const start = message.indexOf('[{');
  const found = start < 0 ? undefined : propertyErrors.safeParse(parseJson(message.slice(start, message.lastIndexOf(']') + 1))).data;
  if (found === undefined) return withoutValues(message, rows);
  return found
    .map(({ name, error, message: what }) => `${name}: ${error}${what === undefined ? '' : ` (${withoutValues(what, rows)})`}`)
    .join('; ');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Shorter values are words of the sentence as often as not. */
const shortest = 3;

function withoutValues(message: string, rows: readonly OutgoingRow[]): string {
  const values = rows
    .flatMap(({ match, fields }) => [...Object.values(match), ...Object.values(fields)])
    .flatMap((value) => (typeof value === 'string' || typeof value === 'number' ? [String(value)] : []))
    .filter((value) => value.length >= shortest && message.toLowerCase().includes(value.toLowerCase()))
    .toSorted((one, other) => other.length - one.length);
  return values.reduce(without, message);
}

/** A text without another one, whatever its case. */
function without(text: string, value: string): string {
  const [inside, wanted] = [text.toLowerCase(), value.toLowerCase()];
  // Letters whose other case is longer would shift every place after them.
  if (inside.length !== text.length || wanted.length !== value.length) return text.replaceAll(value, '…');
  const pieces: string[] = [];
  let end = 0;
  for (let at = inside.indexOf(wanted); at >= 0; at = inside.indexOf(wanted, end)) {
    pieces.push(text.slice(end, at));
    end = at + wanted.length;
  }
  return [...pieces, text.slice(end)].join('…');
}
