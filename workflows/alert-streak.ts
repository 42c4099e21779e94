import { getExternalWorkflowHandle, log, ParentClosePolicy, startChild } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { Alert, AlertKind } from '../schema/alert.ts';
import type { AlertDefinition } from '../schema/definition.ts';
import { alert, streakBegan, streakEnded } from './alert.ts';

/** A streak: what is wrong, with which pipeline or model, told to whom. */
export interface Streak {
  readonly project: string;
  readonly name: string;
  readonly kind: Exclude<AlertKind, 'recovered'>;
  readonly definition: AlertDefinition;
}

const idOf = ({ project, name, kind, definition }: Streak): string => `${project}/${name}/alert/${kind}/${definition.to.name}`;

async function start(streak: Streak, first: Alert | null): Promise<boolean> {
  const { project, name, kind, definition } = streak;
  try {
    await startChild(alert, {
      workflowId: idOf(streak),
      args: [{ definition, first }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `${name} ${kind}: told to ${definition.to.name}, open until it ends`.slice(0, 200),
      memo: { project, name, kind: 'alert' },
    });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

async function signal(streak: Streak, which: typeof streakBegan, message: Alert | null): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(idOf(streak)).signal(which, message);
    return true;
  } catch {
    return false;
  }
}

/** Begins a streak; one that is open goes on. Never throws: an alert doesn't fail a run. */
export async function beginStreak(streak: Streak, first: Alert | null): Promise<void> {
  try {
    // A streak may close between the two.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (await start(streak, first)) return;
      if (await signal(streak, streakBegan, first)) return;
    }
  } catch (error) {
    log.error('a streak could not be begun', { kind: streak.kind, error: error instanceof Error ? error.message : '' });
  }
}

/** Ends a streak; false when none was open. */
export function endStreak(streak: Streak, last: Alert | null): Promise<boolean> {
  return signal(streak, streakEnded, last);
}
