import type { RootHookObject } from 'mocha';
import { postgresUrl, stopTestServers, temporalAddress } from './servers.ts';

/** A whole run starts its servers first, where no test's time-out counts: a fresh machine may be slow at it. */
export async function mochaGlobalSetup(): Promise<void> {
  if (process.env['npm_lifecycle_event']?.startsWith('test') !== true) return;
  await Promise.all([postgresUrl(), temporalAddress()]);
}

/** Runs once around all tests. */
export const mochaHooks: RootHookObject = {
  async afterAll() {
    await stopTestServers();
  },
};
