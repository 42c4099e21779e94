import type { Connector } from '../connector.ts';
import { openApplication } from './application.ts';
import { type ZendeskSettings, zendeskSettings, zendeskWriteOptions } from './settings.ts';

/** Zendesk Support: users and organizations, written by jobs. */
export const zendesk: Connector<ZendeskSettings> = {
  type: 'zendesk',
  settings: zendeskSettings,
  writeOptions: zendeskWriteOptions,
  openApplication,
};
