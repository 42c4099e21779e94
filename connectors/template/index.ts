import type { Connector } from '../connector.ts';
import { openApplication } from './application.ts';
import { templateSettings, templateWriteOptions, type TemplateSettings } from './settings.ts';

/** Any API over HTTP, by declaration. */
export const template: Connector<TemplateSettings> = {
  type: 'http',
  settings: templateSettings,
  writeOptions: templateWriteOptions,
  openApplication,
};
