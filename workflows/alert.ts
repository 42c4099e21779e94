import { condition, defineSignal, log, setHandler } from '@temporalio/workflow';
import type { Alert } from '../schema/alert.ts';
import type { AlertDefinition } from '../schema/definition.ts';
import { failureOf } from './failure.ts';
import { alertSteps } from './steps.ts';

export interface AlertRun {
  readonly definition: AlertDefinition;
  /** What the streak begins with; null when its beginning isn't to be told. */
  readonly first: Alert | null;
}

/** The streak goes on, or begins anew when it had just ended. */
export const streakBegan = defineSignal<[Alert | null]>('streakBegan');
/** The streak is over; what is to be told about that, or null. */
export const streakEnded = defineSignal<[Alert | null]>('streakEnded');

async function tell(definition: AlertDefinition, alert: Alert): Promise<void> {
  try {
    await alertSteps.sendAlert.executeWithOptions({ summary: `${alert.kind} to ${definition.to.name}` }, [{ definition, alert }]);
  } catch (error) {
    log.error('an alert could not be sent', { kind: alert.kind, to: definition.to.name, error: failureOf(error).message });
  }
}

/**
 * One streak of failures, lateness or rejections, for one webhook: open from its beginning to its end, under a fixed id, so that it is told
 * once. Its memory is Temporal's, not the warehouse's: an alert that the warehouse can't be reached must still go out, and only once.
 */
export async function alert({ definition, first }: AlertRun): Promise<void> {
  const toTell: Alert[] = first === null ? [] : [first];
  let open = true;
  const change = (opens: boolean, message: Alert | null): void => {
    if (open === opens) return;
    open = opens;
    if (message !== null) toTell.push(message);
  };
  setHandler(streakBegan, (message) => change(true, message));
  setHandler(streakEnded, (message) => change(false, message));
  for (;;) {
    await condition(() => toTell.length > 0 || !open);
    const next = toTell.shift();
    if (next === undefined) return;
    await tell(definition, next);
  }
}
