import { z } from 'zod';
import type { ErrorCode } from '../../schema/errors.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Attempt } from '../connector.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '../http/client.ts';

/** A Salesforce org as one caller sees it, and the object that is written there. */
export interface Org {
  /** Name of the connection, for messages. */
  readonly name: string;
  /** `/services/data/v62.0` */
  readonly path: string;
  /** `Account`, `My_Object__c` */
  readonly object: string;
  /** The field that finds an object: an external id, another field that identifies, or `Id`. */
  readonly match: string;
  readonly client: HttpClient;
}

/** https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm */
const errorBody = z.array(z.looseObject({ errorCode: z.string(), message: z.string().catch('') })).min(1);

/** What an answer that refuses a request says. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** What an answer refuses a request with; its status when it says nothing. */
export function refusalOf(answer: HttpAnswer): Refusal {
  const [first] = errorBody.safeParse(answer.body).data ?? [];
  return first === undefined ? { code: `HTTP ${answer.status}`, message: '' } : { code: first.errorCode, message: first.message };
}

const minute = 60_000;

const codes: Readonly<Record<string, ErrorCode>> = {
  API_CURRENTLY_DISABLED: 'auth',
  API_DISABLED_FOR_ORG: 'auth',
  FUNCTIONALITY_NOT_ENABLED: 'config',
  INSUFFICIENT_ACCESS: 'auth',
  INVALID_FIELD: 'config',
  INVALID_TYPE: 'not-found',
  MALFORMED_QUERY: 'config',
  NOT_FOUND: 'not-found',
  SERVER_UNAVAILABLE: 'unavailable',
  UNABLE_TO_LOCK_ROW: 'unavailable',
};
const byStatus: Readonly<Record<number, ErrorCode>> = { 403: 'auth', 404: 'not-found', 405: 'config', 409: 'unavailable', 415: 'config' };

/** Milliseconds until a limit may have moved, where an answer says that one is used up. A day's is a sliding one, that of long requests soon over. */
export function throttledFor(answer: HttpAnswer): number | undefined {
  const { code, message } = refusalOf(answer);
  if (!/^(REQUEST_LIMIT_EXCEEDED|EXCEEDED_?QUOTA|LIMIT_EXCEEDED)$/i.test(code)) return undefined;
  const asked = Number(answer.headers['retry-after']) * 1000;
  if (asked > 0) return asked;
  return /concurrent/i.test(message) ? 10_000 : 15 * minute;
}

/** The error of an answer that refuses a request. What the request holds is at fault (`rejected`) unless the answer says otherwise. */
export function refused(org: Org, answer: HttpAnswer): MillraceError {
  const refusal = refusalOf(answer);
  const said = [refusal.code, refusal.message].filter((text) => text !== '').join(': ');
  const code = codes[refusal.code] ?? byStatus[answer.status] ?? 'rejected';
  return new MillraceError(code, `connection ${org.name}, ${org.object}: Salesforce refuses the request (${said})`);
}

/** Asks below the API's path; throws what `refused` says of answers from 400 on. */
export async function ask(org: Org, request: HttpRequest, attempt: Attempt): Promise<HttpAnswer> {
  const answer = await org.client.request({ ...request, path: `${org.path}/${request.path}` }, attempt);
  if (answer.status >= 400) throw refused(org, answer);
  return answer;
}

/** An answer's body as it should be; throws `unknown` for any other, for a proxy or a page of maintenance may have made it. */
export function parsed<Body>(org: Org, schema: z.ZodType<Body>, answer: HttpAnswer): Body {
  const body = schema.safeParse(answer.body);
  if (body.success) return body.data;
  throw new MillraceError('unknown', `connection ${org.name}: the answer (HTTP ${answer.status}) is not what Salesforce gives`);
}
