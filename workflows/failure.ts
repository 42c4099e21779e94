import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, isCancellation } from '@temporalio/workflow';
import type { Failure } from '../schema/run.ts';

/** The application failure inside the layers that Temporal puts around it. */
function innermost(error: unknown): ApplicationFailure | undefined {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) return innermost(error.cause);
  return undefined;
}

const codes: ReadonlySet<string> = new Set([
  'config',
  'auth',
  'not-found',
  'schema',
  'rejected',
  'rate-limited',
  'unavailable',
  'fenced',
  'conflict',
  'staging-lost',
]);
const isCode = (type: string): type is Failure['code'] => codes.has(type);

/** What a failed step or child says, as data. */
export function failureOf(error: unknown): Failure {
  if (isCancellation(error)) return { code: 'cancelled', message: 'the run was cancelled' };
  const failure = innermost(error);
  if (failure === undefined) return { code: 'bug', message: error instanceof Error ? error.message : 'unknown' };
  const type = failure.type ?? '';
  return { code: isCode(type) ? type : 'bug', message: failure.message };
}
