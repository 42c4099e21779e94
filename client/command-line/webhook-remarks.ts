import type { Client } from '@temporalio/client';
import { webhookIdOf } from '../wake-webhook.ts';
import type { OpenProject } from './project.ts';
import { connectProject } from './servers.ts';

/** Milliseconds for a worker to say it. */
const patience = 5000;

async function remarkOf(client: Client, workflowId: string): Promise<string> {
  try {
    return await client.withDeadline(
      Date.now() + patience,
      async () => await client.workflow.getHandle(workflowId).query<string>('remark'),
    );
  } catch {
    // No worker answers, or nothing is under way.
    return '';
  }
}

/** Why webhooks wait, by name, as far as a worker can say it now. */
export async function webhookRemarks(project: OpenProject, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (names.length === 0) return new Map();
  try {
    await using connected = await connectProject(project);
    const { client } = connected;
    const found = await Promise.all(names.map(async (name) => [name, await remarkOf(client, webhookIdOf(project.name, name))] as const));
    return new Map(found.filter(([, remark]) => remark !== ''));
  } catch {
    // Without a Temporal server the books alone are told of.
    return new Map();
  }
}
