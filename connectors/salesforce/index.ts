import type { Connector } from '../connector.ts';
import { openSalesforce } from './application.ts';
import { salesforceSettings, salesforceWriteOptions, type SalesforceSettings } from './settings.ts';

/** Salesforce: any object of an org. */
export const salesforce: Connector<SalesforceSettings> = {
  type: 'salesforce',
  settings: salesforceSettings,
  writeOptions: salesforceWriteOptions,
  openApplication: openSalesforce,
};
