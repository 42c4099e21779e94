import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { pagePolicy } from '../operation/headers.ts';

const title = 'GraphiQL';
const strategy = 'graphiql';
const [opening, closing] = ['<script>', '</script>'];

/** Workers of its editor are made from blobs. */
const policy = pagePolicy('worker-src blob:');

/** Without a token, what it would ask is answered here, with the words where to give one. */
const askForToken = `{
  const ask = window.fetch;
  window.fetch = (input, init) =>
    /^Bearer \\S/i.test(new Headers(init?.headers).get('authorization') ?? '')
      ? ask(input, init)
      : Promise.resolve(Response.json({ errors: [{ message: 'Give a token under "Headers": {"Authorization": "Bearer mr_…"}' }] }));
}
`;

interface Files {
  readonly page: string;
  readonly script: string;
  readonly etag: string;
}

/** The page and its script, from the package's one document. */
async function readFiles(needsToken: boolean): Promise<Files> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const document = renderGraphiQL({
    title,
    endpoint: '/graphql',
    defaultHeaders: JSON.stringify({ Authorization: 'Bearer ' }, null, 2),
    headers: JSON.stringify({ Authorization: 'Bearer ' }, null, 2),
    defaultQuery: '# A token goes under "Headers" below.\nquery {\n  __typename\n}\n',
    shouldPersistHeaders: false,
  });
  const [start, end] = [document.indexOf(opening), document.lastIndexOf(closing)];
  if (start < 0 || end < start) throw new Error('GraphiQL has another form than expected');
  const script = `${needsToken ? askForToken : ''}${document.slice(start + opening.length, end)}`;
  const version = createHash('sha256').update(script).digest('base64url').slice(0, 16);
  const page = `${document.slice(0, start)}<script src="/graphql/graphiql.js?v=${version}">${document.slice(end)}`;
  return { page, script, etag: `"${version}"` };
}

type Strategy = Parameters<FastifyInstance['addConstraintStrategy']>[0];
type Stored = Parameters<ReturnType<Strategy['storage']>['set']>[1];

/** Routes with this constraint are for who asks for HTML. */
const browsersOnly: Strategy = {
  name: strategy,
  storage() {
    const handlers = new Map<unknown, Stored>();
    return { get: (type) => handlers.get(type) ?? null, set: (type, handler) => void handlers.set(type, handler) };
  },
  deriveConstraint: ({ headers }) => (headers.accept?.includes('text/html') === true ? 'page' : undefined),
};

/** Serves GraphiQL to browsers that go to `/graphql`: they ask for HTML, as no program does. */
export function serveGraphiql(server: FastifyInstance, needsToken: boolean): void {
  let files: Promise<Files> | undefined;
  const opened = async (): Promise<Files> => await (files ??= readFiles(needsToken));
  server.addConstraintStrategy(browsersOnly);
  server.route({
    method: 'GET',
    url: '/graphql',
    constraints: { [strategy]: 'page' },
    config: { access: { kind: 'page' } },
    handler: async (_, reply) => sendFile(reply, (await opened()).page, 'text/html', 'no-cache'),
  });
  server.route({
    method: 'GET',
    url: '/graphql/graphiql.js',
    config: { access: { kind: 'page' } },
    handler: async ({ headers }, reply) => {
      const { script, etag } = await opened();
      void reply.header('etag', etag);
      if (headers['if-none-match'] === etag) return reply.code(304).send();
      return sendFile(reply, script, 'text/javascript', 'public, max-age=86400');
    },
  });
}

const sendFile = (reply: FastifyReply, body: string, type: string, keeping: string): FastifyReply =>
  reply.headers({ 'content-security-policy': policy, 'content-type': `${type}; charset=utf-8`, 'cache-control': keeping }).send(body);
