import type { RootHookObject } from 'mocha';
import { stopTestServers } from './servers.ts';

/** Runs once around all tests. */
export const mochaHooks: RootHookObject = {
  async afterAll() {
    await stopTestServers();
  },
};
