import { createHash } from 'node:crypto';
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Attempt } from '../connectors/connector.ts';

/** The running activity as connectors see it. The name is the same for every attempt of one step. */
export function currentAttempt(loadId: string, step: string, no = 0): Attempt {
  return {
    signal: cancellationSignal(),
    name: `millrace:${loadId}:${step}:${no}`,
    beat: (progress) => heartbeat(progress),
  };
}

/** An attempt of a step that belongs to no load. */
export function looseAttempt(step: string): Attempt {
  const { workflowExecution, activityId } = activityInfo();
  const id = createHash('sha256')
    .update(`${workflowExecution?.workflowId}/${workflowExecution?.runId}/${activityId}`)
    .digest('hex')
    .slice(0, 32);
  return currentAttempt(id, step);
}
