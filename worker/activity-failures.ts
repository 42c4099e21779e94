import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { activityInfo, log } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { MillraceError, retryableCodes } from '../schema/errors.ts';

/** An error that isn't ours is a bug: it is tried again this often, in case it passes. */
const attemptsAtBugs = 4;
/** Longer messages would crowd the history; drivers put whole statements into theirs. */
const longestMessage = 2000;
/** A bug's words may repeat what it stumbled over. */
const longestBug = 200;
const longestStack = 8000;

function shorten(text: string, longest = longestMessage): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

/** What Temporal is told of an error: its code as type, whether another attempt makes sense, and no secret. */
function toFailure(error: unknown, attempt: number, scrub: (text: string) => string): unknown {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  if (error instanceof MillraceError) {
    const retryable = retryableCodes.has(error.code);
    return ApplicationFailure.create({
      message: shorten(scrub(error.message)),
      type: error.code,
      nonRetryable: !retryable,
      ...(retryable ? { category: ApplicationFailureCategory.BENIGN } : {}),
      ...(error.retryAfter === undefined ? {} : { nextRetryDelay: error.retryAfter }),
    });
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return ApplicationFailure.create({ message: shorten(scrub(text), longestBug), type: 'bug', nonRetryable: attempt >= attemptsAtBugs });
}

/** Turns every error of an activity into a failure that says its code and remedy. */
export function failureInterceptor(scrub: (text: string) => string): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      try {
        return await next(input);
      } catch (error) {
        const { attempt, activityType } = activityInfo();
        if (error instanceof Error && error.name === 'AbortError') throw new CancelledFailure('cancelled');
        if (!(error instanceof MillraceError || error instanceof CancelledFailure || error instanceof ApplicationFailure)) {
          log.error('unexpected error in an activity', {
            activity: activityType,
            error: shorten(scrub(error instanceof Error ? (error.stack ?? error.message) : String(error)), longestStack),
          });
        }
        throw toFailure(error, attempt, scrub);
      }
    },
  };
}
