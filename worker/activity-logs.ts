import { activityInfo, log } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import { MillraceError, retryableCodes } from '../schema/errors.ts';
import { loadOf } from './log-place.ts';

/** 1, 2, 4, 8, …: a step that waits for the other side for hours is told of, but not every time. */
const isPowerOfTwo = (attempt: number): boolean => Number.isInteger(Math.log2(attempt));

/** Adds the load to every line of an activity's log, and says that a step is tried again, and why. */
export function logInterceptors(scrub: (text: string) => string): ActivityInterceptors {
  let load: string | undefined;
  return {
    outbound: { getLogAttributes: (attributes, next) => next(load === undefined ? attributes : { ...attributes, load }) },
    inbound: {
      async execute(input, next) {
        load = loadOf(input.args[0]);
        const startedAt = Date.now();
        try {
          const result: unknown = await next(input);
          log.debug('step done', { seconds: (Date.now() - startedAt) / 1000 });
          return result;
        } catch (error) {
          if (error instanceof MillraceError && retryableCodes.has(error.code) && isPowerOfTwo(activityInfo().attempt)) {
            log.warn('a step failed and is tried again', { code: error.code, error: scrub(error.message) });
          }
          throw error;
        }
      },
    },
  };
}
