import type { Connector } from '../connector.ts';
import { openApplication } from './application/application.ts';
import { openDatasets } from './datasets/datasets.ts';
import { openGatewayBooks } from './gateway-books/gateway-books.ts';
import { openSyncBooks } from './ledger/sync-books.ts';
import type { PostgresSettings } from './settings.ts';
import { postgresReadOptions, postgresSettings } from './settings.ts';
import { openSource } from './source.ts';
import { openWebhookBooks } from './webhook-books/webhook-books.ts';
import { openWarehouse } from './warehouse/warehouse.ts';

/** PostgreSQL: tables and views as streams, by COPY; and as warehouse. */
export const postgres: Connector<PostgresSettings> = {
  type: 'postgres',
  settings: postgresSettings,
  readOptions: postgresReadOptions,
  openSource,
  openApplication,
  openWarehouse: async (settings, name) => await openWarehouse(settings, name),
  openSyncBooks,
  openDatasets,
  openGatewayBooks,
  openWebhookBooks,
};
