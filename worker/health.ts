import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';

/** What the health endpoint asks. */
export interface HealthOptions {
  /** Loopback unless said otherwise. */
  readonly host?: string;
  readonly port: number;
  /** State of the worker, `RUNNING` when all is well. */
  readonly state: () => string;
  /** Throws when Temporal can't be reached. */
  readonly ping: () => Promise<void>;
  /** Port of the metrics endpoint, which `/metrics` hands on. */
  readonly metricsPort?: number;
}

/** A health endpoint that listens. */
export interface Health extends AsyncDisposable {
  readonly port: number;
}

interface Answer {
  readonly status: 200 | 503;
  readonly body: { readonly status: 'ok' | 'failing'; readonly worker: string; readonly temporal: string; readonly reason?: string };
}

const patience = 3000;

async function answersInTime(ping: () => Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), patience);
  });
  try {
    await Promise.race([ping(), late]);
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** 200 while the worker runs and Temporal answers, else 503 with the reason. */
async function healthOf({ state, ping }: HealthOptions): Promise<Answer> {
  const worker = state();
  if (worker !== 'RUNNING')
    return { status: 503, body: { status: 'failing', worker, temporal: 'not asked', reason: `the worker is ${worker}` } };
  if (await answersInTime(ping)) return { status: 200, body: { status: 'ok', worker, temporal: 'reachable' } };
  return {
    status: 503,
    body: { status: 'failing', worker, temporal: 'unreachable', reason: `Temporal doesn't answer within ${patience} ms` },
  };
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

async function sendMetrics(response: ServerResponse, port: number | undefined): Promise<void> {
  if (port === undefined) return send(response, 404, 'text/plain', 'metrics are off\n');
  const metrics = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(patience) });
  send(response, metrics.status, metrics.headers.get('content-type') ?? 'text/plain', await metrics.text());
}

/** Serves `/healthz` and `/metrics`. Throws when the port is taken. */
export async function openHealth(options: HealthOptions): Promise<Health> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const path = request.url?.split('?')[0];
      if (request.method !== 'GET') return send(response, 405, 'text/plain', 'GET only\n');
      if (path === '/metrics') return await sendMetrics(response, options.metricsPort);
      if (path !== '/healthz') return send(response, 404, 'text/plain', 'there are /healthz and /metrics\n');
      const { status, body } = await healthOf(options);
      send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
    };
    answer().catch(() => send(response, 503, 'text/plain', 'the metrics endpoint does not answer\n'));
  });
  server.listen({ host: options.host ?? '127.0.0.1', port: options.port });
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
