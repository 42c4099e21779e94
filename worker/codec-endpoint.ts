import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { choosePort } from './local/ports.ts';

/** What the codec endpoint works with. */
export interface CodecEndpointOptions {
  readonly codec: PayloadCodec;
  /** Origins of the Temporal UI; browsers let no other page read an answer. */
  readonly origins: readonly string[];
  /** `.millrace` of the project, where port and token are kept, so that a browser needs the address once. */
  readonly stateFolder: string;
}

/** An endpoint that listens on loopback, and decrypts for whoever knows its token. */
export interface CodecEndpoint extends AsyncDisposable {
  /** Address with the token, for the UI, which can't send one otherwise. */
  readonly address: string;
  /** Address without the token, for the command `temporal`, which sends it as `Authorization: Bearer …`. */
  readonly bareAddress: string;
  readonly token: string;
}

const loopback = '127.0.0.1';
const largestBody = 32 * 1024 * 1024;
const kept = z.object({ port: z.int(), token: z.string().min(32) });
const base64 = z.base64().transform((text) => Buffer.from(text, 'base64'));
/** Payloads as protobuf's JSON writes them. */
const body = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), base64).default({}), data: base64.default(Buffer.alloc(0)) })).default([]),
});

/** The port and token of last time; the port is replaced when it is taken. */
async function place(folder: string): Promise<z.infer<typeof kept>> {
  const file = join(folder, 'codec.json');
  const before = await readFile(file, 'utf8')
    .then((text) => kept.parse(JSON.parse(text)))
    .catch(() => ({ port: 8234, token: randomBytes(24).toString('base64url') }));
  const chosen = { ...before, port: await choosePort(before.port, 'the codec endpoint', () => undefined) };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(file, `${JSON.stringify(chosen)}\n`, { mode: 0o600 });
  return chosen;
}

function isToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

async function readBody(request: IncomingMessage): Promise<z.infer<typeof body>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > largestBody) throw new Error('the request is too large');
    chunks.push(chunk);
  }
  return body.parse(JSON.parse(Buffer.concat(chunks).toString()));
}

function asJson({ metadata, data }: Awaited<ReturnType<PayloadCodec['decode']>>[number]) {
  const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('base64');
  return { metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, text(value)])), data: text(data) };
}

interface Question {
  readonly token: string;
  readonly verb: string;
}

/** `/<token>/decode`, or `/decode` with the token as a bearer's. */
function questionOf(request: IncomingMessage): Question {
  const parts = (request.url ?? '').split('?')[0]?.split('/').slice(1) ?? [];
  const bearer = request.headers.authorization?.replace(/^bearer +/i, '') ?? '';
  return parts.length === 2 ? { token: parts[0] ?? '', verb: parts[1] ?? '' } : { token: bearer, verb: parts[0] ?? '' };
}

function allowOrigin(request: IncomingMessage, response: ServerResponse, origins: readonly string[]): void {
  const { origin } = request.headers;
  response.setHeader('vary', 'origin');
  if (origin === undefined || !origins.includes(origin)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-methods', 'POST, OPTIONS');
  response.setHeader('access-control-allow-headers', 'content-type, x-namespace, authorization');
}

/** Serves `/encode` and `/decode` for the Temporal UI and its command, on loopback only. */
export async function openCodecEndpoint(options: CodecEndpointOptions): Promise<CodecEndpoint> {
  const { codec, origins } = options;
  const { port, token } = await place(options.stateFolder);
  const end = (response: ServerResponse, status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(value));
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    allowOrigin(request, response, origins);
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    const question = questionOf(request);
    if (!isToken(question.token, token)) return end(response, 401, { message: 'the token is missing or wrong' });
    if (question.verb !== 'encode' && question.verb !== 'decode') return end(response, 404, { message: 'there are /encode and /decode' });
    if (request.method !== 'POST') return end(response, 405, { message: 'POST only' });
    const { payloads } = await readBody(request);
    end(response, 200, { payloads: (await codec[question.verb](payloads)).map(asJson) });
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) =>
      end(response, 400, { message: error instanceof Error ? error.message : String(error) }),
    );
  });
  server.listen({ host: loopback, port });
  await once(server, 'listening');
  const bareAddress = `http://${loopback}:${port}`;
  return {
    address: `${bareAddress}/${token}`,
    bareAddress,
    token,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
