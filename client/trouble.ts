import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { failureMessage } from './failure-message.ts';

/** A step that failed and is tried again. */
export interface Trouble {
  readonly workflowId: string;
  /** The step; `workflow` where the worker can't even go on with the workflow. */
  readonly step: string;
  /** The attempt that is under way, or waited for. */
  readonly attempt: number;
  readonly message: string;
}

type Raw = WorkflowExecutionDescription['raw'];

async function stepTroubles(client: Client, workflowId: string, raw: Raw): Promise<readonly Trouble[]> {
  const failed = (raw.pendingActivities ?? []).filter(({ attempt, lastFailure }) => (attempt ?? 1) > 1 && lastFailure?.message);
  return await Promise.all(
    failed.map(async ({ activityType, attempt, lastFailure }): Promise<Trouble> => {
      const message = await failureMessage(client, lastFailure);
      return { workflowId, step: activityType?.name ?? '', attempt: attempt ?? 0, message };
    }),
  );
}

/** A worker that can't read the payloads of a workflow, or whose code doesn't fit its history, fails at the workflow itself. */
async function workflowTroubles(client: Client, workflowId: string, raw: Raw): Promise<readonly Trouble[]> {
  const attempt = raw.pendingWorkflowTask?.attempt ?? 1;
  if (attempt < 2) return [];
  const { namespace } = client.options;
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace,
    execution: { workflowId },
    maximumPageSize: 5,
  });
  const failures = (history?.events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed?.failure ?? []);
  // Where the failure itself can't be read, that is the trouble: worker and client have different keys.
  const message = await failureMessage(client, failures[0]).catch(String);
  return message === '' ? [] : [{ workflowId, step: 'workflow', attempt, message }];
}

/** The steps of a workflow that have failed at least once and are still being tried; none where the workflow can't be asked. */
export async function troublesOf(client: Client, workflowId: string): Promise<readonly Trouble[]> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    return [...(await stepTroubles(client, workflowId, raw)), ...(await workflowTroubles(client, workflowId, raw))];
  } catch {
    return [];
  }
}
