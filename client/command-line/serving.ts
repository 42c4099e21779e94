import type { Client } from '@temporalio/client';
import type { Datasets } from '../../connectors/datasets.ts';
import type { Catalog } from '../../gateway/catalog.ts';
import type { Gateway } from '../../gateway/open.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import { readStagingKeys } from '../payload-keys.ts';
import { gatewayOf } from './gateway.ts';
import { gatewayRuns } from './gateway-runs.ts';
import type { Output } from './output.ts';
import type { OpenProject } from './project.ts';

export interface ServingOptions {
  readonly project: OpenProject;
  /** Throws `unavailable` while there is no Temporal server. */
  readonly client: () => Promise<Client>;
  /** Where `MILLRACE_LOG_LEVEL` doesn't say. */
  readonly level: 'info' | 'warn';
}

/** Opens the project's gateway in this process; its log goes to standard error. */
export async function startGateway({ project, client, level }: ServingOptions): Promise<Gateway> {
  const given = gatewayOf(project);
  const { missingForWebhooks, openBooks, openDatasets, resolveGateway } = await import('../../worker/gateway.ts');
  const [{ openGateway }, { createGatewayLog }, { logLevel }, { createScrubber }] = await Promise.all([
    import('../../gateway/open.ts'),
    import('../../worker/gateway-log.ts'),
    import('../../worker/logs.ts'),
    import('../../worker/secrets.ts'),
  ]);
  const { definition, secrets } = await resolveGateway(given, process.env);
  const log = createGatewayLog({
    project: project.name,
    level: logLevel(process.env, level),
    pretty: process.stderr.isTTY,
    scrub: createScrubber(secrets),
    write: (line) => process.stderr.write(line),
  });
  for (const [webhook, reason] of await missingForWebhooks(definition, process.env))
    log.warn({ webhook, reason }, 'the webhook waits where the worker lacks this too');
  const runs = gatewayRuns(project, given, client, await latestChange(definition));
  return await openGateway({
    definition,
    openBooks,
    openDatasets,
    runs,
    staging: project.staging,
    stagingKeys: await readStagingKeys(process.env),
    log,
  });
}

/** Where a webhook begins that has never told anything. */
async function latestChange({ webhooks, warehouses: [warehouse] }: GatewayDefinition): Promise<string> {
  if (webhooks.length === 0 || warehouse === undefined) return '0';
  const { openBooks } = await import('../../worker/gateway.ts');
  await using books = await openBooks(warehouse);
  await books.check();
  return await books.latestChange();
}

/** Says where the gateway is, and what a browser finds there. */
export function welcome({ address, missing }: Gateway, { apis, ingests, triggers, graphql }: GatewayDefinition, output: Output): void {
  const published = [
    ...apis.filter(({ name }) => !missing.has(name)).map(({ name }) => `/api/${name}`),
    ...ingests.map(({ connection }) => `/ingest/${connection.name}`),
    ...triggers.map(({ name }) => `/trigger/${name}`),
  ];
  output.line(`The gateway is at ${address}${published.length === 0 ? '' : `: ${published.join(', ')}`}`);
  for (const [name, reason] of missing) output.line(`Not there yet: ${name}: ${reason}`);
  if (apis.length === 0) return;
  output.line(`Try it: ${address}/docs${graphql.graphiql ? `, ${address}/graphql` : ''}; millrace token create makes a token.`);
}

/** The APIs with their datasets as they are now; what can't be published is noted. */
export async function describedCatalog(project: OpenProject, output: Output): Promise<Catalog> {
  const { openDatasets, resolveGateway } = await import('../../worker/gateway.ts');
  const { FollowedCatalog } = await import('../../gateway/catalog-refresh.ts');
  const given = gatewayOf(project);
  const { definition } = await resolveGateway({ ...given, ingests: [], triggers: [] }, process.env);
  const opened: (readonly [string, Datasets])[] = [];
  try {
    for (const connection of definition.warehouses) opened.push([connection.name, await openDatasets(connection, definition)]);
    const quiet = (): void => undefined;
    const catalog = new FollowedCatalog(definition, new Map(opened), { info: quiet, warn: quiet, error: quiet });
    await catalog.refresh();
    for (const [name, reason] of catalog.missing) output.note(`${name}: ${reason}`);
    return catalog;
  } finally {
    await Promise.all(opened.map(async ([, datasets]) => await datasets[Symbol.asyncDispose]()));
  }
}
