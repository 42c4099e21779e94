import type { z } from 'zod';
import { MillraceError, type ErrorCode } from '../../schema/errors.ts';
import type { Attempt } from '../connector.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '../http/client.ts';

/** An account that is open for one step. */
export interface Account {
  /** The connection's name, for messages. */
  readonly name: string;
  readonly client: HttpClient;
}

const importsOff =
  'bulk imports of users are not enabled for this account: its owner asks Zendesk support to enable them; until then use mode update, or sync organizations';
const meanings: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  403: ['auth', 'the agent of the connection lacks the permission'],
  404: ['config', 'the url of the connection is not that of a Zendesk Support account'],
  409: ['unavailable', 'it was busy with the same objects'],
};

/** Asks, and reads the answer. Throws `rejected`, `auth`, `config`, `unavailable`, `unknown` for an answer that isn't Zendesk's, and what the client throws. */
export async function ask<Answer>(
  { name, client }: Account,
  request: HttpRequest,
  schema: z.ZodType<Answer>,
  attempt: Attempt,
): Promise<Answer> {
  const answer = await client.request(request, attempt);
  const sentence = `connection ${name}: Zendesk answered HTTP ${answer.status} to ${request.method} ${request.path}`;
  if (answer.status < 200 || answer.status >= 300) throw failureOf(answer, sentence);
  const parsed = schema.safeParse(answer.body);
  if (parsed.success) return parsed.data;
  throw new MillraceError(request.repeatable ? 'unavailable' : 'unknown', `${sentence}, and not with what it documents`);
}

function failureOf({ status, text }: HttpAnswer, sentence: string): MillraceError {
  if (status === 403 && /import/i.test(text)) return new MillraceError('config', `${sentence}: ${importsOff}`);
  if (status < 400) return new MillraceError('config', `${sentence}: the url of the connection leads elsewhere; give the final one`);
  const [code, meaning] = meanings[status] ?? ['rejected', withoutAddresses(text.slice(0, 300))];
  return new MillraceError(code, `${sentence}: ${meaning}`);
}

/** A reason in Zendesk's words, without e-mail addresses: they are values of rows. */
export const withoutAddresses = (reason: string): string => reason.replaceAll(/[^\s"'<>(,;:]+@[^\s"'<>),;:]+/g, '…');
