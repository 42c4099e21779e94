import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import type { GatewayContext } from '../../gateway/context.ts';
import { ingestPart } from '../../gateway/ingest/index.ts';
import { problemBody, problemOf } from '../../gateway/operation/failures.ts';
import { Problem } from '../../gateway/problem.ts';
import type { IngestPending } from '../../schema/ingest.ts';
import type { ConnectionDefinition, PipelineDefinition } from '../../schema/definition.ts';
import { ingestFolder } from '../../staging/ingest-folder.ts';
import type { StagingKeys } from '../../staging/keys.ts';
import { pipelineOf } from '../pipeline-kit.ts';

/** A schema with a column of each kind. */
export const clickSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    event_id: { type: 'string', minLength: 1, maxLength: 100 },
    user: { type: 'integer' },
    price: { type: ['number', 'null'] },
    at: { type: 'string', format: 'date-time' },
    page: { type: 'object' },
    seen: { type: 'boolean' },
  },
  required: ['event_id'],
  additionalProperties: false,
};

export interface IngestGateway extends AsyncDisposable {
  readonly server: FastifyInstance;
  readonly folder: string;
  readonly schemaPath: string;
  readonly woken: IngestPending[];
  /** A number of `/metrics`. */
  gauge(name: string): number | undefined;
  /** The header `x-caller` says who asks. */
  post(
    body: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: Answer; headers: Record<string, unknown> }>;
}

/** What is answered: of 202, or a problem. */
interface Answer {
  readonly accepted?: number;
  readonly duplicates?: number;
  readonly rejected?: readonly { readonly index: number; readonly errors: readonly { readonly at: string; readonly message: string }[] }[];
  readonly title?: string;
  readonly errors?: readonly { readonly at: string; readonly message: string }[];
}

export interface IngestGatewayOptions {
  readonly project?: string;
  /** The root; one of its own when not given. */
  readonly staging?: string;
  readonly schema?: object;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly pipelines?: readonly string[];
  readonly keys?: StagingKeys | undefined;
  readonly wake?: (connection: string, pending?: IngestPending) => Promise<void>;
}

/** Only what the part of ingest asks for. */
export function ingestContext(
  connection: ConnectionDefinition,
  { project = 'test', staging = '', pipelines = ['clicks'], keys, wake = async () => undefined }: IngestGatewayOptions,
): GatewayContext {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const context: Partial<GatewayContext> = {
    definition: { project, ingests: [{ connection, pipelines }] } as unknown as GatewayContext['definition'],
    staging,
    stagingKeys: keys,
    log,
    runs: { wakeIngest: wake, wakeWebhook: async () => undefined, start: async () => ({ workflowId: '', runId: '' }) },
    limits: { take: async () => ({}) },
    audit: { add: () => undefined, count: () => undefined },
    count: () => undefined,
    gauge: () => undefined,
  };
  return context as GatewayContext;
}

/** A server with the part of ingest alone, and no tokens. */
export async function ingestServer(context: GatewayContext): Promise<FastifyInstance> {
  const server = Fastify({ bodyLimit: 1024 * 1024 });
  server.setErrorHandler((error, _request, reply) => {
    const problem = error instanceof Problem ? error : problemOf(error);
    if (problem === undefined) throw error;
    return reply
      .code(problem.status)
      .headers(problem.headers)
      .header('content-type', 'application/problem+json')
      .send(problemBody(problem));
  });
  server.addHook('onRequest', async (request) => {
    const { 'x-caller': name = 'test' } = request.headers;
    request.caller = { id: `token:${String(name)}`, role: undefined, scopes: ['ingest'], claims: {}, identity: '' };
  });
  await ingestPart(server, context);
  await server.ready();
  return server;
}

/** A gateway of one ingest connection `clicks`, in this process. */
export async function openIngestGateway(options: IngestGatewayOptions = {}): Promise<IngestGateway> {
  const own = await mkdtemp(join(tmpdir(), 'millrace-ingest-'));
  const staging = options.staging ?? join(own, 'staging');
  const schemaPath = join(own, 'event.json');
  await writeFile(schemaPath, JSON.stringify(options.schema ?? clickSchema));
  const connection = ingestConnection(schemaPath, options.settings);
  const woken: IngestPending[] = [];
  const wake = async (name: string, pending?: IngestPending): Promise<void> => {
    woken.push(pending ?? { segments: 0, bytes: 0 });
    await options.wake?.(name, pending);
  };
  const gauges = new Map<string, () => number>();
  const server = await ingestServer({
    ...ingestContext(connection, { ...options, staging, wake }),
    gauge: (name, _labels, read) => void gauges.set(name, read),
  });
  return {
    server,
    folder: ingestFolder(staging, options.project ?? 'test', 'clicks'),
    schemaPath,
    woken,
    gauge: (name) => gauges.get(name)?.(),
    async post(body, headers = {}) {
      const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
      const answer = await server.inject({
        method: 'POST',
        url: '/ingest/clicks',
        payload,
        headers: { 'content-type': 'application/json', ...headers },
      });
      return { status: answer.statusCode, body: answer.json<Answer>(), headers: answer.headers };
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(own, { recursive: true, force: true });
    },
  };
}

const ingestConnection = (schema: string, settings: Readonly<Record<string, unknown>> = { key: 'event_id' }): ConnectionDefinition => ({
  name: 'clicks',
  type: 'ingest',
  settings: { type: 'ingest', schema, ...settings },
});

/** A pipeline that loads the events of `clicks` into `landed.clicks`. */
export function clicksPipeline(project: string, schema: string, to: string, more: Partial<PipelineDefinition> = {}): PipelineDefinition {
  const made = pipelineOf(project, 'clicks', { from: '', to, streams: [{ stream: 'clicks', mode: 'append' }], more });
  return { ...made, from: ingestConnection(schema) };
}
