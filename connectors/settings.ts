import { z } from 'zod';
import { brazeSettings, brazeWriteOptions } from './braze/settings.ts';
import { filesReadOptions, filesSettings, filesWriteOptions } from './files/settings.ts';
import { hubspotSettings, hubspotWriteOptions } from './hubspot/settings.ts';
import { ingestSettings } from './ingest/settings.ts';
import { postgresReadOptions, postgresSettings } from './postgres/settings.ts';
import { salesforceSettings, salesforceWriteOptions } from './salesforce/settings.ts';
import { templateSettings, templateWriteOptions } from './template/settings.ts';
import { webhookSettings } from './webhook/settings.ts';
import { zendeskSettings, zendeskWriteOptions } from './zendesk/settings.ts';

/** Settings of a connection as the project file has them, one object for each kind of system. */
export const connectionSettings = z.discriminatedUnion('type', [
  postgresSettings,
  filesSettings,
  salesforceSettings,
  hubspotSettings,
  brazeSettings,
  zendeskSettings,
  templateSettings,
  webhookSettings,
  ingestSettings,
]);
export type ConnectionSettings = z.infer<typeof connectionSettings>;
export type ConnectionType = ConnectionSettings['type'];

const none = z.strictObject({});

/** What the project file may use each kind of system for. */
export const connectionKinds: Readonly<
  Record<
    ConnectionType,
    {
      readonly source: boolean;
      readonly warehouse: boolean;
      /** It can be the destination of a sync. */
      readonly application: boolean;
      /** Settings that are paths, made absolute to the project's folder. */
      readonly paths: readonly string[];
      /** Options of a stream under `read`. */
      readonly readOptions: z.ZodObject;
      /** Options of a sync's object under `write`. */
      readonly writeOptions: z.ZodObject;
    }
  >
> = {
  postgres: { source: true, warehouse: true, application: true, paths: [], readOptions: postgresReadOptions, writeOptions: none },
  files: {
    source: true,
    warehouse: false,
    application: true,
    paths: ['path'],
    readOptions: filesReadOptions,
    writeOptions: filesWriteOptions,
  },
  salesforce: { source: false, warehouse: false, application: true, paths: [], readOptions: none, writeOptions: salesforceWriteOptions },
  hubspot: { source: false, warehouse: false, application: true, paths: [], readOptions: none, writeOptions: hubspotWriteOptions },
  braze: { source: false, warehouse: false, application: true, paths: [], readOptions: none, writeOptions: brazeWriteOptions },
  zendesk: { source: false, warehouse: false, application: true, paths: [], readOptions: none, writeOptions: zendeskWriteOptions },
  http: { source: false, warehouse: false, application: true, paths: [], readOptions: none, writeOptions: templateWriteOptions },
  ingest: { source: true, warehouse: false, application: false, paths: ['schema'], readOptions: none, writeOptions: none },
  webhook: { source: false, warehouse: false, application: false, paths: [], readOptions: none, writeOptions: none },
};
