import http from 'node:http';

export interface GenerateOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Events in a second. */
  readonly rate: number;
  /** Events in a request. */
  readonly batch: number;
  readonly seconds: number;
  /** Number of the first event. */
  readonly from: number;
}

export interface Generated {
  /** By number of the event, from the first: milliseconds since 1970 at which it was accepted. */
  readonly acceptedAt: Float64Array;
  /** Milliseconds of each request. */
  readonly requests: readonly number[];
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

function post({ url, headers }: GenerateOptions, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      { method: 'POST', agent, headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const eventOf = (no: number): string =>
  `{"event_id":"event-${no}","no":${no},"user_id":${no % 5000},"page":"/products/${no % 700}","price":"${(no % 9999) / 100}","at":"${new Date().toISOString()}","details":{"referrer":"https://example.com/","tags":["a","b"]}}`;

/** Posts events at a steady rate, whatever the answers take; fails where one isn't accepted. */
export async function generate(options: GenerateOptions): Promise<Generated> {
  const { rate, batch, seconds, from } = options;
  const total = rate * seconds;
  const acceptedAt = new Float64Array(total);
  const requests: number[] = [];
  const under: Promise<void>[] = [];
  const startedAt = performance.now();
  const send = async (first: number): Promise<void> => {
    const events = Array.from({ length: Math.min(batch, total - first) }, (_, index) => eventOf(from + first + index));
    const start = performance.now();
    const status = await post(options, batch === 1 ? (events[0] ?? '') : `[${events.join(',')}]`);
    if (status !== 202) throw new Error(`events were answered with ${status}`);
    requests.push(performance.now() - start);
    acceptedAt.fill(Date.now(), first, first + events.length);
  };
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * rate));
    for (; sent < due; sent += batch) under.push(send(sent));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(under);
  return { acceptedAt, requests };
}
