import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, isCancellation } from '@temporalio/workflow';
import type { ErrorCode } from '../schema/errors.ts';
import type { Failure } from '../schema/run.ts';

/** The application failure inside the layers that Temporal puts around it. */
function innermost(error: unknown): ApplicationFailure | undefined {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) return innermost(error.cause);
  return undefined;
}

const codes: Readonly<Record<ErrorCode, true>> = {
  config: true,
  auth: true,
  'not-found': true,
  schema: true,
  rejected: true,
  'rate-limited': true,
  unavailable: true,
  unknown: true,
  fenced: true,
  conflict: true,
  'staging-lost': true,
};
const isCode = (type: string): type is ErrorCode => Object.hasOwn(codes, type);

/** What a failed step or child says, as data. */
export function failureOf(error: unknown): Failure {
  if (isCancellation(error)) return { code: 'cancelled', message: 'the run was cancelled' };
  const failure = innermost(error);
  if (failure === undefined) return { code: 'bug', message: error instanceof Error ? error.message : 'unknown' };
  const type = failure.type ?? '';
  return { code: isCode(type) ? type : 'bug', message: failure.message };
}

/** The end of a workflow for a failure, for good; details are what it did until then. */
export function failWith({ code, message }: Failure, ...details: readonly unknown[]): ApplicationFailure {
  return ApplicationFailure.create({ message, type: code, nonRetryable: true, ...(details.length === 0 ? {} : { details: [...details] }) });
}
