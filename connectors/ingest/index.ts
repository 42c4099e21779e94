import type { Connector } from '../connector.ts';
import { openedIngestSettings, type OpenedIngestSettings } from './settings.ts';
import { openSource } from './source.ts';

/** Events that are posted to the gateway, as source. */
export const ingest: Connector<OpenedIngestSettings> = { type: 'ingest', settings: openedIngestSettings, openSource };
