import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The events of a workflow, those of its continued runs one after the other when the first run is named. */
export async function eventsOf(client: Client, workflowId: string, runId?: string): Promise<readonly HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  for (let next: string | undefined = runId ?? ''; next !== undefined;) {
    const { events: found = [] }: { events?: HistoryEvent[] | null } = await client.workflow
      .getHandle(workflowId, next === '' ? undefined : next)
      .fetchHistory();
    if (found === null) break;
    events.push(...found);
    next = found.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return events;
}

/** How often each step was asked for, and how often it was begun again. */
export interface StepCount {
  asked: number;
  again: number;
}

export function stepsOf(events: readonly HistoryEvent[]): Readonly<Record<string, StepCount>> {
  const steps: Record<string, StepCount> = {};
  const names = new Map<string, string>();
  const of = (name: string): StepCount => (steps[name] ??= { asked: 0, again: 0 });
  for (const event of events) {
    const { activityTaskScheduledEventAttributes: scheduled, activityTaskStartedEventAttributes: started } = event;
    if (scheduled) {
      const name = scheduled.activityType?.name ?? '';
      names.set(String(event.eventId), name);
      of(name).asked += 1;
    }
    if (started) of(names.get(String(started.scheduledEventId)) ?? '').again += (started.attempt ?? 1) - 1;
  }
  return steps;
}

interface Sized {
  readonly what: string;
  readonly bytes: number;
}

/** The results and heartbeats that events carry, with their sizes. */
export function resultSizes(events: readonly HistoryEvent[]): readonly Sized[] {
  return events.flatMap((event) => {
    const done = event.activityTaskCompletedEventAttributes?.result?.payloads ?? [];
    const beats = event.activityTaskFailedEventAttributes?.failure?.applicationFailureInfo?.details?.payloads ?? [];
    const bytes = [...done, ...beats].reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
    return bytes === 0 ? [] : [{ what: `event ${String(event.eventId)}`, bytes }];
  });
}

/** The first run of a workflow's first child. */
export function childRunOf(events: readonly HistoryEvent[]): string {
  const [started] = events.flatMap((event) => event.childWorkflowExecutionStartedEventAttributes ?? []);
  return started?.workflowExecution?.runId ?? '';
}
