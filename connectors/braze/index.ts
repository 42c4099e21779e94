import type { Connector } from '../connector.ts';
import { openApplication } from './application.ts';
import { type BrazeSettings, brazeSettings, brazeWriteOptions } from './settings.ts';

/** Braze: attributes of users, events, and subscription groups. */
export const braze: Connector<BrazeSettings> = {
  type: 'braze',
  settings: brazeSettings,
  writeOptions: brazeWriteOptions,
  openApplication,
};
