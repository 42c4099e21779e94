import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Outcome } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { HttpAnswer, HttpClient } from '../http/client.ts';

/** A workspace that is open for one step. */
export interface Workspace {
  /** The connection's name, for messages. */
  readonly name: string;
  readonly client: HttpClient;
}

/** Of the answers only what is used: https://www.braze.com/docs/api/errors */
const reply = z.looseObject({ message: z.string(), errors: z.array(z.unknown()).optional() });
const objectError = z.looseObject({ type: z.string(), input_array: z.string(), index: z.int().min(0) });

/** An error of one object by its position in the array that was sent. */
interface ObjectError {
  readonly index: number;
  readonly reason: string;
}

/** What Braze says of a request; `taken` is false when nothing of it was done. */
export interface Reply {
  readonly taken: boolean;
  readonly message: string;
  readonly errors: readonly ObjectError[];
  /** True when there are errors that don't say which object they mean. */
  readonly vague: boolean;
  readonly requestId: string | undefined;
}

/** Posts a request. Throws `auth`, `config`, `rejected` for a body that is too large, and what the client throws. */
export async function post(workspace: Workspace, path: string, body: unknown, repeatable: boolean, attempt: Attempt): Promise<HttpAnswer> {
  const answer = await workspace.client.request({ method: 'POST', path, body, repeatable }, attempt);
  const { status } = answer;
  if (isTaken(answer) || status === 400) return answer;
  const sentence = `connection ${workspace.name}: Braze answered HTTP ${status} to ${path}`;
  if (status === 403) throw new MillraceError('auth', `${sentence}: the key lacks the permission`);
  if (status === 404 || status === 405 || status < 400) {
    throw new MillraceError('config', `${sentence}; the url of the connection is not the REST endpoint of a workspace`);
  }
  throw new MillraceError('rejected', `${sentence}${messageOf(answer)}`);
}

const isTaken = ({ status }: HttpAnswer): boolean => status >= 200 && status < 300;

function messageOf({ body }: HttpAnswer): string {
  const parsed = reply.safeParse(body);
  return parsed.success ? `: ${parsed.data.message}` : '';
}

/** What an answer to `array` says, object by object. Throws `unknown` when it isn't Braze's. */
export function replyOf({ name }: Workspace, answer: HttpAnswer, array: string): Reply {
  const parsed = reply.safeParse(answer.body);
  if (!parsed.success) {
    const code = isTaken(answer) ? 'unknown' : 'rejected';
    throw new MillraceError(code, `connection ${name}: Braze answered HTTP ${answer.status} without its message`);
  }
  const errors = (parsed.data.errors ?? []).map((error) => objectError.safeParse(error));
  const named = errors.flatMap(({ data }) => (data?.input_array === array ? [{ index: data.index, reason: data.type }] : []));
  return {
    taken: isTaken(answer),
    message: parsed.data.message,
    errors: named,
    vague: named.length < errors.length,
    requestId: answer.requestId,
  };
}

/**
 * What became of each of `count` objects that were sent in one array. An error's index counts in that array. Throws `rejected` when Braze took
 * nothing and doesn't say why for each.
 */
export function outcomesOf(workspace: Workspace, said: Reply, count: number): readonly Outcome[] {
  const reasons = new Map(said.errors.map(({ index, reason }) => [index, reason]));
  const request = said.requestId === undefined ? {} : { requestId: said.requestId };
  if (!said.taken && reasons.size < count) {
    const [first] = said.errors;
    throw new MillraceError('rejected', `connection ${workspace.name}: Braze refused the request: ${first?.reason ?? said.message}`);
  }
  const astray = said.vague || said.errors.some(({ index }) => index >= count);
  return Array.from({ length: count }, (_, index): Outcome => {
    const reason = reasons.get(index);
    if (reason !== undefined) return { status: 'rejected', reason, ...request };
    if (astray) return { status: 'unknown', reason: 'Braze names an error without saying which object it means', ...request };
    return { status: 'acknowledged', ...request };
  });
}
