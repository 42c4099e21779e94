import { Redis } from 'ioredis';
import type { GatewayLog } from './context.ts';

/** The Redis that gateways of a project share. Commands fail at once while it can't be reached; it is looked for again on its own. */
export function openRedis(url: string, log: GatewayLog): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    commandTimeout: 1000,
    retryStrategy: (attempt) => Math.min(100 * attempt, 2000),
  });
  let isDown = false;
  redis.on('ready', () => {
    if (isDown) log.info({}, 'Redis is there again');
    isDown = false;
  });
  redis.on('error', (error: Error) => {
    if (!isDown) log.warn({ reason: error.message }, 'Redis can not be reached: going on without');
    isDown = true;
  });
  return redis;
}
