import { LRUCache } from 'lru-cache';
import { viewsFor } from '../access/views.ts';
import type { Caller } from '../caller.ts';
import type { GatewayContext, Part } from '../context.ts';
import { etagOf, isKnown } from '../entity-tag.ts';
import { formatOf } from '../rest/negotiate.ts';
import { openApiOf } from './document.ts';
import { eventSection } from './events.ts';
import { followEventSchemas, type EventSchemas } from './ingest.ts';

interface Kept {
  readonly body: string;
  readonly etag: string;
}

/** `GET /openapi.json`: the document of what the caller sees; made once for each role and scopes, and anew when a shape or a schema of events changes. */
export const openApiPart: Part = (server, context) => {
  const documents = new LRUCache<string, Kept>({ max: 50 });
  const schemasNow = followEventSchemas(context.definition);
  let schemas: EventSchemas = new Map();
  const documentOf = async (caller: Caller): Promise<Kept> => {
    const now = await schemasNow();
    if ([...now].some(([name, schema]) => schemas.get(name) !== schema)) documents.clear();
    schemas = now;
    const key = JSON.stringify([context.catalog.generation, caller.role, caller.scopes]);
    const known = documents.get(key);
    if (known !== undefined) return known;
    const body = JSON.stringify(documentFor(context, caller, now));
    const made = { body, etag: etagOf(body) };
    documents.set(key, made);
    return made;
  };
  server.get('/openapi.json', { config: { access: { kind: 'api' } } }, async (request, reply) => {
    void reply.headers(await context.limits.take('openapi', request.caller));
    formatOf(request.headers.accept, ['json']);
    const { body, etag } = await documentOf(request.caller);
    void reply.header('etag', etag);
    if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send();
    return reply.header('content-type', 'application/json; charset=utf-8').send(body);
  });
};

/** The document of what a caller sees. */
export const documentFor = (context: Pick<GatewayContext, 'catalog' | 'definition'>, caller: Caller, eventSchemas: EventSchemas): object =>
  openApiOf(viewsFor(context, caller), {
    project: context.definition.project,
    version: '1',
    more: [eventSection(context.definition, caller, eventSchemas)],
  });
