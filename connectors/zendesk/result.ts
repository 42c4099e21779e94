import { z } from 'zod';
import type { Operation } from '../../schema/sync.ts';
import type { Outcome } from '../application.ts';
import { withoutAddresses } from './account.ts';
import type { Writing } from './plan.ts';

/** What a job says of one object: https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/#results */
export const jobResult = z.looseObject({
  /** Its position in the request; not every kind of job gives it. */
  index: z.int().min(0).optional().catch(undefined),
  id: z.number().or(z.string()).optional().catch(undefined),
  status: z.string().catch(''),
  success: z.boolean().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
  details: z.unknown().optional(),
});
type Result = z.infer<typeof jobResult>;

/** True when the field that finds objects is refused for not being unique. */
function isTaken(match: string, reason: string): boolean {
  const name = match === 'external_id' ? 'external' : match;
  return /already (been taken|being used)|duplicate/i.test(reason) && reason.toLowerCase().includes(name);
}

function wordsOf({ error, details }: Result): string {
  if (typeof details === 'string') return details;
  return details === undefined || details === null ? (error ?? 'refused without a reason') : JSON.stringify(details);
}

/** What became of one object of a job. */
export function outcomeOf(result: Result, operation: Operation, writing: Writing): Outcome {
  const { id, error, success, status } = result;
  if (error === undefined && success !== false && status.toLowerCase() !== 'failed') {
    return { status: 'acknowledged', ...(id === undefined ? {} : { remoteId: String(id) }) };
  }
  if (operation === 'delete' && error === 'RecordNotFound') return { status: 'acknowledged' };
  return refusalOf(wordsOf(result), error, operation, writing);
}

function refusalOf(words: string, error: string | undefined, operation: Operation, { kind, match }: Writing): Outcome {
  const reason = withoutAddresses(words);
  const again = { status: 'again', reason, after: 2_000 } as const;
  if (/conflict|collision/i.test(`${error} ${words}`)) return again;
  if (isTaken(match, words)) {
    // It wasn't there when it was looked up just before: an earlier attempt's job, or somebody else, made it in between.
    if (operation === 'create') return { status: 'unknown', reason };
    if (operation === 'upsert' && kind.plural === 'organizations') return again;
  }
  return { status: 'rejected', reason, ...(error === undefined ? {} : { code: error }) };
}
