import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { MillraceError } from '../schema/errors.ts';
import { dataConverterOf } from './payload-codec.ts';
import { readPayloadKeys } from './payload-keys.ts';

/** A client of the Temporal server that a project uses. */
export interface Temporal extends AsyncDisposable {
  readonly client: Client;
  readonly address: string;
  readonly namespace: string;
}

/** Where a project's Temporal server is: the environment and profiles first (`TEMPORAL_ADDRESS`, …), else the local server's address. */
export function temporalConfig(localAddress: string | undefined): ReturnType<typeof loadClientConnectConfig> {
  const config = loadClientConnectConfig();
  const address = config.connectionOptions.address ?? localAddress;
  if (address === undefined) {
    throw new MillraceError(
      'config',
      'no Temporal server is known: start one with millrace up, or set TEMPORAL_ADDRESS (or a profile of temporal.toml)',
    );
  }
  return { ...config, connectionOptions: { ...config.connectionOptions, address } };
}

/** gRPC would send calls of this machine to itself through the proxy that the environment names. */
function channelArgs(address: string): { channelArgs?: Record<string, number> } {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(address) ? { channelArgs: { 'grpc.enable_http_proxy': 0 } } : {};
}

/** A call tried again on a closed connection would throw where nobody can catch it: closing lets the one waited for begin, and then none. */
function retriesUntilClosed() {
  const options = defaultGrpcRetryOptions();
  let closing = false;
  let nextAt = 0;
  const interceptor = makeGrpcRetryInterceptor({
    retryableDecider: (attempt, status) => !closing && options.retryableDecider(attempt, status),
    delayFunction(attempt, status) {
      const delay = options.delayFunction(attempt, status);
      nextAt = Math.max(nextAt, Date.now() + delay);
      return delay;
    },
  });
  const end = async (): Promise<void> => {
    closing = true;
    const wait = nextAt - Date.now();
    if (wait > -50) await sleep(wait + 50);
  };
  return { interceptor, end };
}

/**
 * Connects to the project's Temporal server; what is sent is encrypted where `MILLRACE_PAYLOAD_KEYS` is set.
 * Throws `unavailable` naming the address, and `config` where the keys are wrong.
 */
export async function connectTemporal(localAddress?: string): Promise<Temporal> {
  const { connectionOptions, namespace = 'default' } = temporalConfig(localAddress);
  const address = connectionOptions.address ?? '';
  const dataConverter = dataConverterOf(await readPayloadKeys(process.env));
  const retries = retriesUntilClosed();
  let connection: Connection;
  try {
    connection = await Connection.connect({
      ...channelArgs(address),
      ...connectionOptions,
      connectTimeout: '5s',
      interceptors: [retries.interceptor],
    });
  } catch (error) {
    throw new MillraceError(
      'unavailable',
      `the Temporal server at ${address} does not answer: start it with millrace up, or check TEMPORAL_ADDRESS`,
      { cause: error },
    );
  }
  return {
    client: new Client({ connection, namespace, dataConverter }),
    address,
    namespace,
    [Symbol.asyncDispose]: async () => {
      await retries.end();
      await connection.close();
    },
  };
}
