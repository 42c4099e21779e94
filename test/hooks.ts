import { shareTestServers, stopTestServers } from './servers.ts';

/** A whole run starts its servers first, where no test's time-out counts, and once for all processes that share its files. */
export async function mochaGlobalSetup(): Promise<void> {
  const isWhole = process.env['npm_lifecycle_event']?.startsWith('test') === true;
  if (isWhole || process.argv.includes('--parallel')) await shareTestServers();
}

/** Runs once after all tests. */
export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestServers();
}
