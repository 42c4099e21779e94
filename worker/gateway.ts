import { hostname } from 'node:os';
import type { Datasets, DatasetsOptions } from '../connectors/datasets.ts';
import type { GatewayBooks } from '../connectors/gateway-books.ts';
import { connectorOf } from '../connectors/registry.ts';
import type { ConnectionDefinition } from '../schema/definition.ts';
import { MillraceError } from '../schema/errors.ts';
import type { GatewayDefinition, TriggerDefinition } from '../schema/gateway-definition.ts';
import { resolveOf, resolveSettings, type SecretsPlace } from './secrets.ts';

/** A gateway with the values of its secrets. */
export interface ResolvedGateway {
  /** Webhooks keep their references: the worker posts, not the gateway. */
  readonly definition: GatewayDefinition;
  /** Texts that no message may hold. */
  readonly secrets: ReadonlySet<string>;
}

/** Looks the secrets of a gateway up in this process's environment. Throws `auth` naming what is missing. */
export async function resolveGateway(definition: GatewayDefinition, environment: NodeJS.ProcessEnv): Promise<ResolvedGateway> {
  const resolving = new Resolving(environment);
  const { redis, maskKey, triggers, ingests, warehouses, ...rest } = definition;
  const resolved: GatewayDefinition = {
    ...rest,
    ...(redis === undefined ? {} : { redis: await resolving.text('gateway.redis', 'url', redis) }),
    ...(maskKey === undefined ? {} : { maskKey: await resolving.text('gateway', 'mask_key', maskKey) }),
    triggers: await Promise.all(triggers.map(async (trigger) => await resolving.trigger(trigger))),
    ingests: await Promise.all(ingests.map(async (ingest) => ({ ...ingest, connection: await resolving.connection(ingest.connection) }))),
    warehouses: await Promise.all(warehouses.map(async (warehouse) => await resolving.connection(warehouse))),
  };
  return { definition: resolved, secrets: resolving.secrets };
}

/** What outgoing webhooks need and this process's environment lacks, by webhook: the worker posts, and may have it. */
export async function missingForWebhooks(
  { webhooks }: Pick<GatewayDefinition, 'webhooks'>,
  environment: NodeJS.ProcessEnv,
): Promise<ReadonlyMap<string, string>> {
  const place: SecretsPlace = { environment, host: hostname() };
  const missing = new Map<string, string>();
  for (const { name, to } of webhooks) {
    try {
      await resolveSettings(to, place);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      missing.set(name, error.message);
    }
  }
  return missing;
}

/** The gateway's books in a warehouse whose secrets are resolved. */
export const openBooks = async ({ name, type, settings }: ConnectionDefinition): Promise<GatewayBooks> =>
  await connectorOf(type, name).openGatewayBooks(settings, name);

/** The datasets of a warehouse whose secrets are resolved. */
export const openDatasets = async ({ name, type, settings }: ConnectionDefinition, options: DatasetsOptions): Promise<Datasets> =>
  await connectorOf(type, name).openDatasets(settings, name, options);

class Resolving {
  readonly secrets = new Set<string>();
  readonly #place: SecretsPlace;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#place = { environment, host: hostname(), process: 'gateway' };
  }

  async connection(connection: ConnectionDefinition): Promise<ConnectionDefinition> {
    const { settings, secrets } = await resolveSettings(connection, this.#place);
    for (const secret of secrets) this.secrets.add(secret);
    return { ...connection, settings: { ...settings } };
  }

  /** `setting` as the project file calls it. */
  async text(what: string, setting: string, value: string): Promise<string> {
    const { settings, secrets } = await resolveOf(what, { [setting]: value }, this.#place);
    for (const secret of secrets) this.secrets.add(secret);
    const resolved = settings[setting];
    return typeof resolved === 'string' ? resolved : value;
  }

  async trigger({ verify, ...trigger }: TriggerDefinition): Promise<TriggerDefinition> {
    if (verify === undefined) return trigger;
    return {
      ...trigger,
      verify: { ...verify, secret: await this.text(`gateway.triggers.${trigger.name}.verify`, 'secret', verify.secret) },
    };
  }
}
