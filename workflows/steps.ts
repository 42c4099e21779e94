import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

/** Failures that another attempt can't cure, by `MillraceError.code`; the worker marks them too. */
const nonRetryableErrorTypes = ['config', 'auth', 'not-found', 'schema', 'rejected', 'fenced', 'conflict', 'staging-lost'];

const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;
const retry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s', nonRetryableErrorTypes } as const;

/**
 * The steps of a load. They move data and may take hours: they prove that they live by heartbeats, are tried again until they
 * succeed or fail for good, and a run that is cancelled waits until their work has stopped.
 */
export function dataSteps(heartbeatTimeout: number) {
  return proxyActivities<Pick<Activities, 'extract' | 'transform' | 'load' | 'commit' | 'prepare' | 'plan' | 'expand'>>({
    startToCloseTimeout: '7 days',
    heartbeatTimeout,
    cancellationType,
    retry,
  });
}

/** Lets a load go; given up itself after an hour, because the next load of the stream does the same. */
export function giveUpSteps(heartbeatTimeout: number) {
  return proxyActivities<Pick<Activities, 'giveUp'>>({ scheduleToCloseTimeout: '1 hour', heartbeatTimeout, cancellationType, retry });
}

/** The steps of a sync: the same rules as those of a load. */
export function syncSteps(heartbeatTimeout: number) {
  return proxyActivities<Pick<Activities, 'planSync' | 'sendRows' | 'pollJobs'>>({
    startToCloseTimeout: '7 days',
    heartbeatTimeout,
    cancellationType,
    retry,
  });
}

/** Closes the books of a sync's run; given up itself after an hour. */
export function endSyncSteps(heartbeatTimeout: number) {
  return proxyActivities<Pick<Activities, 'endSync'>>({ scheduleToCloseTimeout: '1 hour', heartbeatTimeout, cancellationType, retry });
}

/** Waits for a commit in the warehouse: asked again every so often, by its retries, for a while. */
export function pulseSteps(every: number, longest: number) {
  return proxyActivities<Pick<Activities, 'findPulse'>>({
    startToCloseTimeout: '1 minute',
    scheduleToCloseTimeout: longest,
    cancellationType,
    retry: { initialInterval: every, backoffCoefficient: 1, maximumInterval: every, nonRetryableErrorTypes },
  });
}

/** Bookkeeping around a load: short, and given up after an hour. */
export const bookSteps = proxyActivities<Pick<Activities, 'cleanUp' | 'findRun'>>({
  startToCloseTimeout: '1 minute',
  scheduleToCloseTimeout: '1 hour',
  cancellationType,
  retry,
});

/** Alerts and what they are about: short; a receiver that is down is tried for six hours. */
export const alertSteps = proxyActivities<Pick<Activities, 'sendAlert' | 'findStanding'>>({
  startToCloseTimeout: '1 minute',
  scheduleToCloseTimeout: '6 hours',
  cancellationType,
  retry: { ...retry, maximumInterval: '5 minutes' },
});

/** Posts of changes to webhooks. What an address says is their result; failures are those of the books, and are waited out. */
export function webhookSteps(heartbeatTimeout: number) {
  return proxyActivities<Pick<Activities, 'postChanges' | 'buryChange' | 'replayLetter'>>({
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout,
    cancellationType,
    retry,
  });
}

/** The build of a model: one long statement in the warehouse. */
export function modelSteps(heartbeatTimeout: number) {
  return proxyActivities<Pick<Activities, 'build'>>({ startToCloseTimeout: '1 day', heartbeatTimeout, cancellationType, retry });
}

/** Questions to connections: short, and not repeated for long, because a person waits. */
export const checkSteps = proxyActivities<Pick<Activities, 'checkConnection' | 'checkPipeline' | 'checkSync'>>({
  startToCloseTimeout: '2 minutes',
  cancellationType,
  retry: { maximumAttempts: 2, nonRetryableErrorTypes },
});
