import { once } from 'node:events';
import fastify, { type FastifyInstance } from 'fastify';
import type { AuditEntry, BookedToken, GatewayBooks } from '../../connectors/gateway-books.ts';
import { openAccess, type AccessOptions, type GatewayAccess } from '../../gateway/access/access.ts';
import { newToken } from '../../gateway/access/tokens.ts';
import type { Access } from '../../gateway/caller.ts';
import type { PublishedApi } from '../../gateway/catalog.ts';
import type { GatewayLog } from '../../gateway/context.ts';
import { problemBody, problemOf } from '../../gateway/operation/failures.ts';
import type { ApiDefinition, GatewayDefinition, RoleDefinition } from '../../schema/gateway-definition.ts';

export const silent: GatewayLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

const minute = 60_000;

export const apiOf = (name: string, roles: Readonly<Record<string, RoleDefinition>>, over: Partial<ApiDefinition> = {}): ApiDefinition => ({
  name,
  warehouse: 'warehouse',
  source: { kind: 'table', schema: 'marts', table: name },
  dataset: `marts.${name}`,
  key: ['id'],
  relations: {},
  roles,
  rates: { '*': { requests: 600, per: minute } },
  limit: { default: 50, max: 1000 },
  ...over,
});

/** An API with a dataset that reads these tables, whose columns nobody asks for. */
export const publishedApi = (definition: ApiDefinition, reads: readonly string[] = []): PublishedApi => ({
  definition,
  shape: { columns: [], reads, rows: 1 },
  relationShapes: new Map(),
});

const all: RoleDefinition = { fields: 'all', mask: {} };

export const definitionOf = (over: Partial<GatewayDefinition> = {}): GatewayDefinition => ({
  project: 'shop',
  listen: { host: '127.0.0.1', port: 0 },
  behindProxy: false,
  cors: [],
  rate: {
    role: { requests: 100_000, per: minute },
    all: { requests: 1_000_000, per: minute },
    ingest: { requests: 1_000_000, per: minute },
  },
  timeout: 5_000,
  exportTimeout: 300_000,
  bodyBytes: 1_000_000,
  concurrency: 64,
  connections: 10,
  cacheBytes: 64_000_000,
  graphql: { maxDepth: 6, maxCost: 1000, graphiql: false },
  audit: 365 * 86_400_000,
  apis: [
    apiOf('customers', { support: { ...all, rows: 'region = ${claim:region}' }, analyst: all }),
    apiOf('orders', { support: all, analyst: { ...all, rows: 'team = ${claim:team}' } }),
  ],
  ingests: [],
  webhooks: [],
  triggers: [],
  warehouses: [],
  ...over,
});

/** The books in memory, as much of them as access needs. */
export class MemoryBooks implements Pick<GatewayBooks, 'findToken' | 'audit' | 'retainAudit'> {
  readonly tokens = new Map<string, BookedToken>();
  readonly entries: AuditEntry[] = [];
  readonly retained: (readonly [project: string, age: number])[] = [];
  lookups = 0;
  isAway = false;

  async findToken(_project: string, id: string): Promise<BookedToken | undefined> {
    this.lookups++;
    await Promise.resolve();
    if (this.isAway) throw new Error('away');
    return this.tokens.get(id);
  }

  async audit(entries: readonly AuditEntry[]): Promise<void> {
    await Promise.resolve();
    if (this.isAway) throw new Error('away');
    this.entries.push(...entries);
  }

  async retainAudit(project: string, age: number): Promise<void> {
    await Promise.resolve();
    this.retained.push([project, age]);
  }

  /** Books a token and gives its text. */
  add(over: Partial<BookedToken> = {}): string {
    const { token, id, hash } = newToken();
    const booked = { project: 'shop', id, name: 'test', hash, role: 'support', scopes: ['api'], claims: {}, expiresAt: undefined };
    this.tokens.set(id, { ...booked, createdAt: new Date(), revokedAt: undefined, ...over });
    return token;
  }

  change(token: string, over: Partial<BookedToken>): void {
    const id = token.split('_')[1] ?? '';
    const booked = this.tokens.get(id);
    if (booked !== undefined) this.tokens.set(id, { ...booked, ...over });
  }
}

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AccessServer extends AsyncDisposable {
  readonly books: MemoryBooks;
  readonly access: GatewayAccess;
  readonly server: FastifyInstance;
  readonly url: string;
  ask(path: string, token?: string, headers?: Readonly<Record<string, string>>): Promise<Answered>;
}

const routes: readonly (readonly [path: string, access: Access | undefined])[] = [
  ['/public', { kind: 'public' }],
  ['/page', { kind: 'page' }],
  ['/api/:name', { kind: 'api' }],
  ['/graphql', { kind: 'api' }],
  ['/changes', { kind: 'changes' }],
  ['/ingest/:name', { kind: 'ingest' }],
  ['/trigger/:name', { kind: 'trigger' }],
  ['/forgotten', undefined],
];

/** A server with a route of each kind, whose answer is the caller. */
export async function openServer(options: Partial<AccessOptions> = {}): Promise<AccessServer> {
  const books = new MemoryBooks();
  const access = openAccess({ definition: definitionOf(), books, log: silent, ...options });
  const server = fastify();
  server.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    const status = problem?.status ?? 500;
    void reply.code(status).headers(problem?.headers ?? {});
    void reply.send(problem === undefined ? { detail: String(error), status } : problemBody(problem, request.id));
  });
  access.guard(server);
  for (const [url, kind] of routes) {
    server.get(url, { config: kind === undefined ? {} : { access: kind } }, (request, reply) =>
      reply.send({ caller: request.caller ?? null }),
    );
  }
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    books,
    access,
    server,
    url,
    async ask(path, token, headers = {}) {
      const answer = await fetch(`${url}${path}`, {
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      });
      return { status: answer.status, headers: answer.headers, body: JSON.parse(await answer.text()) as Readonly<Record<string, unknown>> };
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server.server, 'close');
      server.server.closeAllConnections();
      await server.close();
      await closed.catch(() => undefined);
      await access[Symbol.asyncDispose]();
    },
  };
}
