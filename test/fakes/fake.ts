import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What really happened to an object of a fake application; tests compare it with the ledger. */
export interface Effect {
  readonly at: number;
  readonly operation: 'create' | 'update' | 'delete' | 'add' | 'remove' | 'event';
  /** `contacts`, `lists/42`. */
  readonly object: string;
  /** The application's own id. */
  readonly id: string;
  /** What the sync finds it by. */
  readonly key: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Parsed when the body is JSON. */
  readonly body: unknown;
}

export interface FakeAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What goes wrong with the next requests that match. */
export interface Trouble {
  readonly matches?: (request: FakeRequest) => boolean;
  /** How many requests it meets; 1 by default. */
  readonly times?: number;
  /** Answers this in place of doing anything. */
  readonly answer?: FakeAnswer;
  /** Milliseconds before the request is handled, or before its answer goes out. */
  readonly slowBefore?: number;
  readonly slowAfter?: number;
  /** The connection is cut before anything happens, or after the effect. */
  readonly cut?: 'before' | 'after';
  /** The answer's bytes are replaced: truncated JSON, HTML under 200. */
  readonly garble?: (text: string) => string;
}

/** A vendor's part of a fake: its state, and what it does with a request. */
export interface Vendor {
  /** `hubspot`. */
  readonly name: string;
  /** Handles an authenticated, unthrottled request. */
  handle(request: FakeRequest, record: (effect: Omit<Effect, 'at'>) => void): FakeAnswer | Promise<FakeAnswer>;
  /** The answer to a request over the limit, with the vendor's headers; `wait` in milliseconds. */
  throttled(wait: number): FakeAnswer;
  /** Headers that every answer has: what remains of the limit. */
  headers?(used: number): Readonly<Record<string, string>>;
  /** Records by object, for tests and for the page. */
  records(): ReadonlyMap<string, readonly Readonly<Record<string, unknown>>[]>;
}

export interface Fake extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly effects: readonly Effect[];
  /** Every request with the status that it was answered with; 0 when it was cut. */
  readonly requests: readonly (FakeRequest & { readonly status: number; readonly at: number })[];
  records: Vendor['records'];
  /** Adds trouble for requests to come. */
  trouble(trouble: Trouble): void;
  /** Requests in a sliding time; undefined: no limit. */
  limit: { readonly requests: number; readonly per: number } | undefined;
  /** Milliseconds that every request takes. */
  latency: number;
}

async function read(incoming: IncomingMessage): Promise<FakeRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const url = new URL(incoming.url ?? '/', 'http://fake');
  const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
  const json = (headers['content-type'] ?? '').includes('json') && text !== '';
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers,
    text,
    body: json ? parsed(text) : undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function write(outgoing: ServerResponse, { status, body, headers }: FakeAnswer, garble: Trouble['garble']): void {
  const isText = typeof body === 'string';
  const text = body === undefined ? '' : isText ? body : JSON.stringify(body);
  outgoing.writeHead(status, {
    ...(text === '' ? {} : { 'content-type': isText ? 'text/plain' : 'application/json' }),
    ...headers,
  });
  outgoing.end(garble === undefined ? text : garble(text));
}

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Starts a fake application on loopback; `port` 0 takes a free one. */
export async function startFake(vendor: Vendor, port = 0): Promise<Fake> {
  const effects: Effect[] = [];
  const requests: (FakeRequest & { status: number; at: number })[] = [];
  const troubles: { trouble: Trouble; left: number }[] = [];
  let recent: number[] = [];

  const meets = (request: FakeRequest): Trouble | undefined => {
    const found = troubles.find(({ trouble, left }) => left > 0 && (trouble.matches?.(request) ?? true));
    if (found !== undefined) found.left -= 1;
    return found?.trouble;
  };
  const overLimit = (): number => {
    if (fake.limit === undefined) return 0;
    const now = Date.now();
    const { requests: most, per } = fake.limit;
    recent = recent.filter((at) => at > now - per);
    if (recent.length >= most) return (recent[0] ?? now) + per - now;
    recent.push(now);
    return 0;
  };
  const answerTo = async (request: FakeRequest, trouble: Trouble): Promise<FakeAnswer> => {
    const over = overLimit();
    if (over > 0) return vendor.throttled(over);
    if (trouble.answer !== undefined) return trouble.answer;
    return await vendor.handle(request, (effect) => effects.push({ ...effect, at: Date.now() }));
  };
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const request = await read(incoming);
    const entry = { ...request, status: 0, at: Date.now() };
    requests.push(entry);
    const { slowBefore = 0, slowAfter = 0, ...trouble } = meets(request) ?? {};
    if (fake.latency + slowBefore > 0) await wait(fake.latency + slowBefore);
    if (trouble.cut === 'before') return void incoming.socket.destroy();
    const answer = await answerTo(request, trouble);
    if (slowAfter > 0) await wait(slowAfter);
    if (trouble.cut === 'after') return void incoming.socket.destroy();
    entry.status = answer.status;
    write(outgoing, { ...answer, headers: { ...vendor.headers?.(recent.length), ...answer.headers } }, trouble.garble);
  };
  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch((error: unknown) => {
      outgoing.writeHead(500).end(`fake ${vendor.name}: ${String(error)}`);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: listening } = server.address() as AddressInfo;
  const fake: Fake = {
    name: vendor.name,
    url: `http://127.0.0.1:${listening}`,
    effects,
    requests,
    records: () => vendor.records(),
    trouble: (trouble) => void troubles.push({ trouble, left: trouble.times ?? 1 }),
    limit: undefined,
    latency: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return fake;
}
