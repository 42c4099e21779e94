// A CRM with the batch upsert of HubSpot's contacts, and as little else as can be: `crm.ts`. Says its address when it listens.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How the CRM behaves, until it is told otherwise. */
export interface CrmBehaviour {
  /** Milliseconds before each answer. */
  readonly latency: number;
  /** Requests in any time of `per` milliseconds. */
  readonly limit?: { readonly requests: number; readonly per: number };
}

/** What it saw since it was last told how to behave. */
export interface CrmSeen {
  /** Requests that were served. */
  readonly requests: number;
  readonly throttled: number;
  /** Rows, and those of them that had another id than all before. */
  readonly rows: number;
  readonly contacts: number;
  /** Equal for equal contents, in any order. */
  readonly digest: string;
}

interface Input {
  readonly id: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly objectWriteTraceId?: string;
}

let behaviour: CrmBehaviour = { latency: 0 };
let served: number[] = [];
let requests = 0;
let throttled = 0;
let rows = 0;
const contacts = new Map<string, { readonly no: number; readonly properties: Readonly<Record<string, string>> }>();

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Milliseconds to wait; 0 for a request that may be served now. */
function waitOf({ limit }: CrmBehaviour): number {
  if (limit === undefined) return 0;
  const now = performance.now();
  served = served.filter((at) => at > now - limit.per);
  if (served.length >= limit.requests) return Math.max(1, (served[0] ?? now) + limit.per - now);
  served.push(now);
  return 0;
}

function upsert(text: string): string {
  const now = new Date().toISOString();
  const { inputs } = JSON.parse(text) as { readonly inputs: readonly Input[] };
  rows += inputs.length;
  const results = inputs.map(({ id, properties, objectWriteTraceId }) => {
    const known = contacts.get(id);
    const no = known?.no ?? contacts.size + 1;
    contacts.set(id, { no, properties });
    return {
      id: String(no),
      properties: { email: id, hs_object_id: String(no) },
      createdAt: now,
      updatedAt: now,
      archived: false,
      new: known === undefined,
      objectWriteTraceId,
    };
  });
  return JSON.stringify({ status: 'COMPLETE', results, startedAt: now, completedAt: now });
}

function seen(): CrmSeen {
  const sum = new BigUint64Array(1);
  for (const [id, { properties }] of contacts) {
    const hash = createHash('md5')
      .update(JSON.stringify([id, properties]))
      .digest();
    sum[0] = (sum[0] ?? 0n) + hash.readBigUInt64LE();
  }
  return { requests, throttled, rows, contacts: contacts.size, digest: String(sum[0]) };
}

function behave(text: string): void {
  behaviour = JSON.parse(text) as CrmBehaviour;
  [served, requests, throttled, rows] = [[], 0, 0, 0];
  contacts.clear();
}

async function answer(request: IncomingMessage): Promise<readonly [status: number, body: string]> {
  const text = await textOf(request);
  if (request.url === '/seen') return [200, JSON.stringify(seen())];
  if (request.url === '/behave') {
    behave(text);
    return [200, '{}'];
  }
  if (waitOf(behaviour) > 0) {
    throttled += 1;
    return [429, JSON.stringify({ status: 'error', category: 'RATE_LIMITS', policyName: 'TEN_SECONDLY_ROLLING', message: 'slow down' })];
  }
  requests += 1;
  if (behaviour.latency > 0) await sleep(behaviour.latency);
  return [200, upsert(text)];
}

const server = createServer((request, response) => {
  void answer(request).then(([status, body]) => {
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
