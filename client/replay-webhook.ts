import { WorkflowExecutionAlreadyStartedError, WorkflowIdConflictPolicy, type Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { MillraceError } from '../schema/errors.ts';
import type { OutgoingWebhook, ReplayReport, ReplayRun } from '../schema/webhook.ts';
import type { replay as replayWorkflow } from '../workflows/replay-webhook.ts';
import { taskQueueOf } from './names.ts';
import { searchAttributesOf } from './search-attributes.ts';
import { webhookIdOf } from './wake-webhook.ts';

/** A replay under way. */
export interface StartedReplay {
  readonly workflowId: string;
  readonly runId: string;
  result(): Promise<ReplayReport>;
}

/** Starts posting dead letters again. Throws `conflict` while another replay of the webhook is under way. */
export async function startReplay(client: Client, webhook: OutgoingWebhook, changeIds: readonly string[]): Promise<StartedReplay> {
  const { project, name, to } = webhook;
  const workflowId = `${webhookIdOf(project, name)}/replay`;
  const attributes = await searchAttributesOf(client, project, name, 'replay');
  const run: ReplayRun = { webhook, changeIds };
  try {
    const handle = await client.workflow.start<typeof replayWorkflow>('replay', {
      workflowId,
      taskQueue: taskQueueOf(project),
      args: [run],
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      memo: { project, name, kind: 'replay' },
      ...(attributes.length > 0 ? { typedSearchAttributes: new TypedSearchAttributes(attributes) } : {}),
      staticSummary: `replay of **${name}** → ${to.name}: ${changeIds.length}`.slice(0, 200),
    });
    return { workflowId, runId: handle.firstExecutionRunId, result: async () => await handle.result() };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new MillraceError('conflict', `${name}: a replay is under way already (${workflowId}): wait for its end`, { cause: error });
  }
}
