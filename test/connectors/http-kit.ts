import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApplicationContext } from '../../connectors/application.ts';
import type { Attempt } from '../../connectors/connector.ts';
import type { Clock } from '../../connectors/http/clock.ts';
import type { HttpClient } from '../../connectors/http/client.ts';
import { createHttpClient, type HttpClientOptions, type HttpClientParts } from '../../connectors/http/http-client.ts';
import { memoryStores } from '../../connectors/http/memory-stores.ts';
import type { HttpSettings } from '../../connectors/http/settings.ts';
import { MillraceError, type ErrorCode } from '../../schema/errors.ts';

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly received: readonly Received[];
  /** Connections that were made, whether or not something came over them. */
  sockets: number;
}

/** A server that answers as the handler does; `no` counts requests from 1. */
export async function startServer(
  handle: (request: Received, response: ServerResponse, no: number) => unknown,
  host = '127.0.0.1',
): Promise<TestServer> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const one = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        text: Buffer.concat(chunks).toString(),
      };
      received.push(one);
      handle(one, response, received.length);
    });
  });
  server.on('connection', () => (started.sockets += 1));
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const started: TestServer = {
    url: `http://${host}:${port}`,
    port,
    received,
    sockets: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return started;
}

export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Time that passes only while somebody sleeps. */
export class FakeClock implements Clock {
  readonly slept: number[] = [];
  #now = Date.parse('2026-01-02T03:04:05Z');
  now(): number {
    return this.#now;
  }
  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.slept.push(milliseconds);
    this.#now += milliseconds;
  }
  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

export const attempt: Attempt = { signal: new AbortController().signal, name: 'millrace:test', beat: () => undefined };

export interface ClientChange {
  readonly settings?: Partial<HttpSettings>;
  readonly options?: Partial<HttpClientOptions>;
  readonly context?: ApplicationContext;
  readonly parts?: HttpClientParts;
}

/** A client of the connection `crm` for a server on loopback. */
export function clientOf(url: string, { settings = {}, options = {}, context, parts = {} }: ClientChange = {}): HttpClient {
  return createHttpClient(
    {
      name: 'crm',
      baseUrl: url,
      settings: { allow_private: true, ...settings },
      context: context ?? memoryStores(parts.clock),
      ...options,
    },
    parts,
  );
}

/** For `assert.rejects`: a failure of that code. */
export const failsWith = (code: ErrorCode, check: (error: MillraceError) => void = () => undefined) => {
  return (error: unknown): true => {
    if (!(error instanceof MillraceError) || error.code !== code) throw new Error(`expected ${code}`, { cause: error });
    check(error);
    return true;
  };
};
