import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Outcome, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { HttpRequest } from '../http/client.ts';
import type { SalesforceFields } from './describe.ts';
import { ask, parsed, type Org } from './org.ts';
import { refusedRow } from './outcomes.ts';
import { nested, recordOf } from './records.ts';

/** Rows of one request: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm */
export const collectionRows = 200;

/** Bytes of one request's rows, well below what Salesforce takes. */
export const collectionBytes = 8 * 1024 * 1024;

const results = z.array(
  z.looseObject({
    id: z.string().nullish(),
    success: z.boolean(),
    errors: z
      .array(z.looseObject({ statusCode: z.string(), message: z.string().catch(''), fields: z.array(z.string()).catch([]) }))
      .catch([]),
  }),
);
type Result = z.infer<typeof results>[number];

function outcomeOf(result: Result, row: OutgoingRow, requestId: string | undefined): Outcome {
  if (result.success) {
    return {
      status: 'acknowledged',
      ...(typeof result.id === 'string' ? { remoteId: result.id } : {}),
      ...(requestId === undefined ? {} : { requestId }),
    };
  }
  const [error] = result.errors;
  const {
    statusCode: code,
    message,
    fields,
  } = error ?? { statusCode: 'UNKNOWN_EXCEPTION', message: 'refused without a reason', fields: [] };
  return refusedRow({ code, message, fields }, row, requestId);
}

/** Makes one request about rows; the answer has a result for each, in order. */
export async function request(
  org: Org,
  rows: readonly OutgoingRow[],
  asked: Omit<HttpRequest, 'repeatable'>,
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const answer = await ask(org, { ...asked, repeatable: false }, attempt);
  const found = parsed(org, results, answer);
  if (found.length !== rows.length) {
    throw new MillraceError('unknown', `connection ${org.name}: ${found.length} results came for ${rows.length} rows`);
  }
  return rows.map((row, no) => outcomeOf(found[no] as Result, row, answer.requestId));
}

/** Creates or upserts rows. */
export async function write(
  org: Org,
  fields: SalesforceFields,
  operation: 'create' | 'upsert',
  rows: readonly OutgoingRow[],
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const records = rows.map((row) => ({ attributes: { type: org.object }, ...nested(recordOf(row, true, fields)) }));
  const body = { allOrNone: false, records };
  if (operation === 'create') return await request(org, rows, { method: 'POST', path: 'composite/sobjects', body }, attempt);
  const path = `composite/sobjects/${encodeURIComponent(org.object)}/${encodeURIComponent(org.match)}`;
  return await request(org, rows, { method: 'PATCH', path, body }, attempt);
}
