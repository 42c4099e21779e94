import type { Command } from 'commander';
import { LaterTemporal } from '../command-line/gateway-runs.ts';
import { gatewayOf, warehouseFor } from '../command-line/gateway.ts';
import { aborted, interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { startGateway, welcome } from '../command-line/serving.ts';
import { tell } from '../command-line/failure.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';

/** APIs need no Temporal server; what else there is works as soon as one is there. */
async function lookForTemporal({ ingests, webhooks, triggers }: GatewayDefinition, temporal: LaterTemporal, output: Output): Promise<void> {
  const waiting = [
    ...(ingests.length > 0 ? ['events are taken in and wait to be loaded'] : []),
    ...(webhooks.length > 0 ? ['webhooks wait'] : []),
    ...(triggers.length > 0 ? ['triggers are refused'] : []),
  ];
  if (waiting.length === 0) return;
  try {
    await temporal.client();
  } catch (error) {
    output.note(`${tell(error).text}\nUntil then ${waiting.join(', ')}.`);
  }
}

async function serve(options: ProjectOptions): Promise<void> {
  const output = outputOf({});
  const project = await openProject(options);
  const definition = gatewayOf(project);
  using stopping = interrupt();
  await warehouseFor(project);
  await using temporal = new LaterTemporal(project);
  await lookForTemporal(definition, temporal, output);
  const gateway = await startGateway({ project, client: async () => await temporal.client(), level: 'info' });
  try {
    welcome(gateway, definition, output);
    await aborted(stopping.signal);
    output.note('stopping: requests under way come to their end first');
  } finally {
    await gateway.close();
  }
}

/** `millrace serve` */
export const command = (): Command =>
  projectCommand(
    'serve',
    'Runs the gateway and nothing else: APIs over REST and GraphQL, events taken in, changes told. SIGTERM drains it: requests under way come to their end.',
    ['millrace serve', 'millrace serve --file /srv/acme/millrace.yaml --env-file /etc/millrace/env'],
  ).action(serve);
