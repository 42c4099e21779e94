import type { Connector } from '../connector.ts';
import { openApplication } from './application.ts';
import { filesReadOptions, filesSettings, filesWriteOptions, type FilesSettings } from './settings.ts';
import { openSource } from './source.ts';

/** CSV, NDJSON, JSON and Parquet files in a folder, as source; and CSV and NDJSON files as what a sync writes. */
export const files: Connector<FilesSettings> = {
  type: 'files',
  settings: filesSettings,
  readOptions: filesReadOptions,
  openSource,
  writeOptions: filesWriteOptions,
  openApplication,
};
