import type { Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import type { ConnectionDefinition } from '../schema/definition.ts';
import type { WebhookDefinition } from '../schema/gateway-definition.ts';
import { dayOfPatience, type OutgoingWebhook, type WebhookRun } from '../schema/webhook.ts';
import type { webhook as webhookWorkflow } from '../workflows/webhook.ts';
import { taskQueueOf } from './names.ts';
import { searchAttributesOf } from './search-attributes.ts';

/** The id of the workflow that tells a webhook of commits. */
export const webhookIdOf = (project: string, name: string): string => `${project}/webhooks/${name}`;

/** A webhook of the project file as its workflow is given it: references to secrets stay references. */
export const outgoingWebhook = (
  project: string,
  { name, to, datasets }: WebhookDefinition,
  books: ConnectionDefinition,
): OutgoingWebhook => ({
  project,
  name,
  to,
  datasets,
  books,
  patience: dayOfPatience,
  heartbeatTimeout: 20_000,
});

/**
 * Wakes the workflow of a webhook, or starts it; it ends by itself. One that is under way goes on with the webhook as it is given now.
 * `since`: where a webhook begins that has never told anything.
 */
export async function wakeWebhook(client: Client, webhook: OutgoingWebhook, since: string): Promise<void> {
  const { project, name, to } = webhook;
  const attributes = await searchAttributesOf(client, project, name, 'webhook');
  const run: WebhookRun = { webhook, since };
  await client.workflow.signalWithStart<typeof webhookWorkflow, [OutgoingWebhook]>('webhook', {
    workflowId: webhookIdOf(project, name),
    taskQueue: taskQueueOf(project),
    args: [run],
    signal: 'wake',
    signalArgs: [webhook],
    memo: { project, name, kind: 'webhook' },
    ...(attributes.length > 0 ? { typedSearchAttributes: new TypedSearchAttributes(attributes) } : {}),
    staticSummary: `webhook **${name}** → ${to.name}`.slice(0, 200),
  });
}
