import autocannon from 'autocannon';

/** What one stretch of load saw. */
export interface Load {
  readonly requestsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface LoadRequest {
  readonly path: string;
  readonly method?: 'POST';
  readonly body?: string;
}

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly requests: readonly LoadRequest[];
}

/** Keeps so many connections busy with the requests in turn. Throws when an answer isn't 2xx. */
export async function load({ url, connections, seconds, headers = {}, requests }: LoadOptions): Promise<Load> {
  const all = requests.map((request) => ({ method: 'GET' as const, headers: { ...headers }, ...request }));
  let started = 0;
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    // Each connection has requests of its own, so that no two ask the same at a time. To have each make all of them takes a second, and
    // then the generator's memory is what is measured.
    setupClient: (client) => {
      client.setRequests(all.filter((_, no) => no % connections === started));
      started += 1;
    },
  });
  if (result.non2xx + result.errors + result.timeouts > 0 || result.requests.total === 0) {
    throw new Error(`${url}: ${result.non2xx} answers that were not 2xx, ${result.errors} errors, ${result.timeouts} timeouts`);
  }
  // The mean of a closed loop is exact where the histogram has whole milliseconds.
  const requestsPerSecond = result.requests.total / result.duration;
  return { requestsPerSecond, p50: result.latency.p50, p99: result.latency.p99 };
}
