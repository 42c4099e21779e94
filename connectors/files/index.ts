import type { Connector } from '../connector.ts';
import { filesReadOptions, filesSettings, type FilesSettings } from './settings.ts';
import { openSource } from './source.ts';

/** CSV, NDJSON, JSON and Parquet files in a folder, as source. */
export const files: Connector<FilesSettings> = { type: 'files', settings: filesSettings, readOptions: filesReadOptions, openSource };
