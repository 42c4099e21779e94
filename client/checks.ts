import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type Client } from '@temporalio/client';
import type { Checked, CheckRun } from '../schema/check.ts';
import { MillraceError } from '../schema/errors.ts';
import type { check } from '../workflows/check.ts';
import { taskQueueOf } from './names.ts';

/** Checks a project's connections and pipelines on its worker. Throws `unavailable` when no worker has answered in time. */
export async function checkProject(client: Client, project: string, run: CheckRun): Promise<readonly Checked[]> {
  try {
    return await client.workflow.execute<typeof check>('check', {
      workflowId: `${project}/check/${randomUUID()}`,
      taskQueue: taskQueueOf(project),
      args: [run],
      workflowExecutionTimeout: '10 minutes',
      memo: { project, kind: 'check' },
      staticSummary: `check of ${project}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    throw new MillraceError('unavailable', `The check did not come to its end: ${error.cause?.message ?? error.message}`, { cause: error });
  }
}
