import type { FastifyReply, FastifyRequest } from 'fastify';
import { requireScope } from '../access/scopes.ts';
import type { Answer, AnswerCall, GatewayContext } from '../context.ts';
import { isKnown } from '../entity-tag.ts';
import type { View } from '../view.ts';

const json = 'application/json; charset=utf-8';

/** Names of the APIs that views belong to: a relation without one is part of the API that has it. */
const apisOf = (views: readonly View[]): readonly string[] => [...new Set(views.map(({ name }) => name.split('.', 1)[0] ?? name))];

const readsOf = (views: readonly View[]): readonly string[] => [...new Set(views.flatMap(({ reads }) => reads))];

/** What a call for an answer has, whatever it asks. Throws 403 where the token has not the scopes of all APIs that are read. */
export function callOf(request: FastifyRequest, views: readonly View[], question: string): Omit<AnswerCall, 'request'> {
  const [first] = views;
  if (first === undefined) throw new Error('a question has a view');
  const { caller } = request;
  if (views.length === 1) return { warehouse: first.warehouse, apis: [first.name], reads: first.reads, question, caller };
  const apis = apisOf(views);
  for (const api of apis) requireScope(caller, `api:${api}`);
  return { warehouse: first.warehouse, apis, reads: readsOf(views), question, caller };
}

/** Answers with the JSON as it came, or says that the client has it. */
export function sendJson(context: GatewayContext, request: FastifyRequest, reply: FastifyReply, api: string, answer: Answer): FastifyReply {
  const cache = context.catalog.api(api)?.definition.cache;
  if (cache?.until === 'ttl') void reply.header('cache-control', `private, max-age=${Math.floor(cache.ttl / 1000)}`);
  request.noted.cache = answer.state;
  void reply.header('etag', answer.etag);
  if (answer.link !== undefined) void reply.header('link', answer.link);
  if (isKnown(request.headers['if-none-match'], answer.etag)) return reply.code(304).send();
  return reply.header('content-type', json).send(answer.body);
}

/** The cursor at the end of a page's JSON; rows come before it, so that none of them can pass for it. */
function nextOf(body: string): string | undefined {
  const at = body.lastIndexOf('"next"');
  return at < 0 ? undefined : /^"next"\s*:\s*"([\w-]+)"\s*\}$/.exec(body.slice(at))?.[1];
}

/** The Link header of a page: the address of the page after, when there is one. */
export function linkOf(body: string, path: string, query: string): string | undefined {
  const next = nextOf(body);
  if (next === undefined) return undefined;
  const others = query.includes('cursor=') ? query.split('&').filter((part) => !part.startsWith('cursor=')) : [query];
  const address = `${path}?${[...others.filter((part) => part !== ''), `cursor=${next}`].join('&')}`;
  return `<${/[<>]/.test(address) ? address.replaceAll('>', '%3E').replaceAll('<', '%3C') : address}>; rel="next"`;
}
