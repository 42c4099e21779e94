import { join } from 'node:path';
import { stagedName } from './name.ts';

/** Where the gateway puts the events of an ingest connection, below the root of staging; no pipeline can have this name. */
export const ingestFolder = (root: string, project: string, connection: string): string =>
  join(root, stagedName(project), '.ingest', stagedName(connection));
