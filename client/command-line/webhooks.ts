import type { WebhookBooks } from '../../connectors/webhook-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { OutgoingWebhook } from '../../schema/webhook.ts';
import { suggestion } from '../project/finding.ts';
import { outgoingWebhook } from '../wake-webhook.ts';
import { gatewayOf, warehouseFor } from './gateway.ts';
import { openInProcess } from './in-process.ts';
import { interrupt } from './interrupt.ts';
import type { OpenProject } from './project.ts';

/** The outgoing webhooks of a project, as their workflows are given them. */
export function webhooksOf(project: OpenProject): readonly OutgoingWebhook[] {
  const { webhooks, warehouses } = gatewayOf(project);
  const [books] = warehouses;
  return books === undefined ? [] : webhooks.map((webhook) => outgoingWebhook(project.name, webhook, books));
}

/** The webhook of a name; throws `config` with the nearest one. */
export function webhookNamed(project: OpenProject, name: string): OutgoingWebhook {
  const all = webhooksOf(project);
  const found = all.find((webhook) => webhook.name === name);
  if (found !== undefined) return found;
  const names = all.map((webhook) => webhook.name);
  const known = names.length === 0 ? ' It has none: they are under gateway.webhooks.' : suggestion(name, names);
  throw new MillraceError('config', `The project ${project.name} has no webhook "${name}".${known}`);
}

/** Opens the books of the project's webhooks in this process, for as long as the work takes. */
export async function withWebhookBooks<T>(project: OpenProject, work: (books: WebhookBooks) => Promise<T>): Promise<T> {
  const [warehouse] = gatewayOf(project).warehouses;
  if (warehouse === undefined) throw new MillraceError('config', 'The gateway has no warehouse, where the books of webhooks would be.');
  await warehouseFor(project);
  using stopping = interrupt();
  await using inProcess = await openInProcess('webhooks', stopping.signal);
  await using books = await inProcess.dependencies.openWebhookBooks(warehouse);
  return await work(books);
}
