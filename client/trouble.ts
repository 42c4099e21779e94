import type { Client } from '@temporalio/client';
import { failureMessage } from './failure-message.ts';

/** A step that failed and is tried again. */
export interface Trouble {
  readonly workflowId: string;
  readonly step: string;
  /** The attempt that is under way, or waited for. */
  readonly attempt: number;
  readonly message: string;
}

/** The steps of a workflow that have failed at least once and are still being tried; none where the workflow can't be asked. */
export async function troublesOf(client: Client, workflowId: string): Promise<readonly Trouble[]> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    const failed = (raw.pendingActivities ?? []).filter(({ attempt, lastFailure }) => (attempt ?? 1) > 1 && lastFailure?.message);
    return await Promise.all(
      failed.map(async ({ activityType, attempt, lastFailure }): Promise<Trouble> => {
        const message = await failureMessage(client, lastFailure);
        return { workflowId, step: activityType?.name ?? '', attempt: attempt ?? 0, message };
      }),
    );
  } catch {
    return [];
  }
}
