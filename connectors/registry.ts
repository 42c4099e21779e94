import { MillraceError } from '../schema/errors.ts';
import type { Application, ApplicationContext, ApplicationRequest } from './application.ts';
import { braze } from './braze/index.ts';
import type { Connector, Source, Warehouse } from './connector.ts';
import type { Datasets, DatasetsOptions } from './datasets.ts';
import { files } from './files/index.ts';
import type { GatewayBooks } from './gateway-books.ts';
import { hubspot } from './hubspot/index.ts';
import { ingest } from './ingest/index.ts';
import { postgres } from './postgres/index.ts';
import { salesforce } from './salesforce/index.ts';
import type { SyncBooks } from './sync-books.ts';
import { template } from './template/index.ts';
import type { WebhookBooks } from './webhook-books.ts';
import { zendesk } from './zendesk/index.ts';

/** A connector whose settings are parsed by its own schema before it opens. */
interface Kind {
  openSource(settings: unknown, name: string): Promise<Source>;
  openWarehouse(settings: unknown, name: string): Promise<Warehouse>;
  openApplication(settings: unknown, name: string, request: ApplicationRequest, context: ApplicationContext): Promise<Application>;
  openSyncBooks(settings: unknown, name: string): Promise<SyncBooks>;
  openDatasets(settings: unknown, name: string, options: DatasetsOptions): Promise<Datasets>;
  openGatewayBooks(settings: unknown, name: string): Promise<GatewayBooks>;
  openWebhookBooks(settings: unknown, name: string): Promise<WebhookBooks>;
}

function kind<Settings>(connector: Connector<Settings>): Kind {
  const parse = (settings: unknown, name: string): Settings => {
    const parsed = connector.settings.safeParse(settings);
    if (parsed.success) return parsed.data;
    const found = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new MillraceError('config', `connection ${name}: ${found}`);
  };
  const cannot = (name: string, role: string): MillraceError =>
    new MillraceError('config', `connection ${name}: a connection of type ${connector.type} can't be a ${role}`);
  return {
    async openSource(settings, name) {
      if (connector.openSource === undefined) throw cannot(name, 'source');
      return await connector.openSource(parse(settings, name), name);
    },
    async openWarehouse(settings, name) {
      if (connector.openWarehouse === undefined) throw cannot(name, 'warehouse');
      return await connector.openWarehouse(parse(settings, name), name);
    },
    async openApplication(settings, name, request, context) {
      if (connector.openApplication === undefined) throw cannot(name, 'destination of a sync');
      return await connector.openApplication(parse(settings, name), name, request, context);
    },
    async openSyncBooks(settings, name) {
      if (connector.openSyncBooks === undefined) throw cannot(name, 'place for the books of a sync');
      return await connector.openSyncBooks(parse(settings, name), name);
    },
    async openDatasets(settings, name, options) {
      if (connector.openDatasets === undefined) throw cannot(name, 'warehouse of an API');
      return await connector.openDatasets(parse(settings, name), name, options);
    },
    async openGatewayBooks(settings, name) {
      if (connector.openGatewayBooks === undefined) throw cannot(name, 'place for the books of the gateway');
      return await connector.openGatewayBooks(parse(settings, name), name);
    },
    async openWebhookBooks(settings, name) {
      if (connector.openWebhookBooks === undefined) throw cannot(name, 'place for the books of webhooks');
      return await connector.openWebhookBooks(parse(settings, name), name);
    },
  };
}

/** Every kind of system, by the `type` of its connections. */
const kinds: ReadonlyMap<string, Kind> = new Map([
  ['postgres', kind(postgres)],
  ['files', kind(files)],
  ['ingest', kind(ingest)],
  ['http', kind(template)],
  ['salesforce', kind(salesforce)],
  ['hubspot', kind(hubspot)],
  ['braze', kind(braze)],
  ['zendesk', kind(zendesk)],
]);

/** The connector of a connection's type; throws `config` naming those there are. */
export function connectorOf(type: string, name: string): Kind {
  const found = kinds.get(type);
  if (found !== undefined) return found;
  throw new MillraceError('config', `connection ${name}: there is no connector of type ${type}; there are ${[...kinds.keys()].join(', ')}`);
}
