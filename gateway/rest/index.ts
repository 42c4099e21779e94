import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { after } from '../access/after.ts';
import { viewFor } from '../access/views.ts';
import type { GatewayContext, Part } from '../context.ts';
import { hasMoreItems, mostGroups } from '../groups.ts';
import { badRequest, notFound, Problem, type Detail } from '../problem.ts';
import { wrongValue } from '../values.ts';
import type { View } from '../view.ts';
import { aggregateQuestion } from './aggregate.ts';
import { callOf, linkOf, sendJson } from './answers.ts';
import { batchQuestion } from './batch.ts';
import { formatOf, type Format } from './negotiate.ts';
import { parametersOf, splitAddress, type Parameter } from './parameters.ts';
import { getQuestion, listQuestion, type GetQuestion, type ListQuestion } from './question.ts';
import { sendStream } from './stream.ts';

type Named = FastifyRequest<{ Params: { name: string } }>;

/** One request for an API, once its caller and limits are known. */
interface Asked {
  readonly request: Named;
  readonly reply: FastifyReply;
  readonly view: View;
  readonly path: string;
  readonly query: string;
  /** Of the catalog that the view is of. */
  readonly generation: number;
}

/** Lists, rows, batches and aggregates of the published datasets. */
export const restPart: Part = (server, context) => {
  const questions = newQuestions();
  route(server, context, 'GET', '/api/:name', (asked) => list(context, questions, asked));
  route(server, context, 'GET', '/api/:name/*', (asked) => get(context, questions, asked));
  route(server, context, 'GET', '/aggregate/:name', (asked) => aggregate(context, asked));
  route(server, context, 'POST', '/batch/:name', (asked) => batch(context, asked));
};

function route(
  server: FastifyInstance,
  context: GatewayContext,
  method: 'GET' | 'POST',
  url: string,
  answer: (asked: Asked) => FastifyReply | Promise<FastifyReply>,
): void {
  server.route<{ Params: { name: string } }>({
    method,
    url,
    exposeHeadRoute: method === 'GET',
    config: { access: { kind: 'api' } },
    handler: (request, reply) => {
      const { name } = request.params;
      const { generation } = context.catalog;
      const view = viewFor(context, name, request.caller);
      request.noted.api = name;
      return after(context.limits.take(name, request.caller), (headers) => {
        void reply.headers(headers);
        const { path, query } = splitAddress(request.url);
        return answer({ request, reply, view, path, query, generation });
      });
    },
  });
  server.route({
    method: 'OPTIONS',
    url,
    config: { access: { kind: 'public' } },
    handler: (_, reply) =>
      reply
        .code(204)
        .header('allow', method === 'GET' ? 'GET, HEAD, OPTIONS' : 'OPTIONS, POST')
        .send(),
  });
}

/** What a question was, as long as no shape has changed since, or what it is against what the role sees now. */
function now<Q>(context: GatewayContext, asked: Asked, was: Q, ask: (again: Asked) => Q): Q {
  const { generation } = context.catalog;
  if (generation === asked.generation) return was;
  return ask({ ...asked, generation, view: viewFor(context, asked.request.params.name, asked.request.caller) });
}

interface Questions {
  list(asked: Asked, format: Format): ListQuestion;
  get(asked: Asked): GetQuestion;
}

/** Questions are read once: who sees the same and asks the same is understood alike. */
function newQuestions(): Questions {
  const lists = new LRUCache<string, ListQuestion>({ max: 2000 });
  const gets = new LRUCache<string, GetQuestion>({ max: 500 });
  const read = <Q extends object>(
    kept: LRUCache<string, Q>,
    kind: string,
    { view, query, request, generation }: Asked,
    make: (given: readonly Parameter[]) => Q,
  ): Q => {
    const key = `${generation} ${kind} ${view.name}?${query} ${request.caller.identity}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = make(parametersOf(query));
    if (query.length <= 1024) kept.set(key, made);
    return made;
  };
  return {
    list: (asked, format) =>
      read(lists, format, asked, (given) => listQuestion(asked.view, asked.request.caller, given, format !== 'json')),
    get: (asked) => read(gets, 'get', asked, (given) => getQuestion(asked.view, asked.request.caller, given)),
  };
}

function list(context: GatewayContext, questions: Questions, asked: Asked): FastifyReply | Promise<FastifyReply> {
  const { request, reply, view, path, query } = asked;
  const format = listFormat(request.headers.accept, query, () => questions.list(asked, 'json'));
  const question = questions.list(asked, format);
  const { read, views } = question;
  if (format !== 'json') return sendStream(context, request, reply, { read, views, format });
  const answer = context.answers.read({
    ...callOf(request, views, request.url),
    request: () => now(context, asked, question, (again) => questions.list(again, format)).read,
    linkOf: (body) => linkOf(body, path, query),
  });
  return after(answer, (read) => sendJson(context, request, reply, view.name, read));
}

/** Throws 406, or 400 with all else that `others` finds wrong. */
function listFormat(accept: string | undefined, query: string, others: () => unknown): Format {
  try {
    const given = query.includes('format=') ? parametersOf(query).find(({ name }) => name === 'format')?.value : undefined;
    if (given === undefined) return formatOf(accept, ['json', 'ndjson', 'csv']);
    if (given === 'json' || given === 'ndjson' || given === 'csv') return given;
    throw badRequest([{ at: 'format', message: 'must be json, ndjson or csv' }]);
  } catch (error) {
    throw error instanceof Problem ? withOthers(error, others) : error;
  }
}

/** The refusal with all that is wrong beside it. */
function withOthers(problem: Problem, others: () => unknown): Problem {
  try {
    others();
    return problem;
  } catch (error) {
    if (!(error instanceof Problem) || error.errors.length === 0) return problem;
    return badRequest([...problem.errors, ...error.errors]);
  }
}

async function get(context: GatewayContext, questions: Questions, asked: Asked): Promise<FastifyReply> {
  const { request, reply, view, path } = asked;
  formatOf(request.headers.accept, ['json']);
  const question = questions.get(asked);
  const key = keyOf(view, path);
  const answer = await context.answers.read({
    ...callOf(request, question.views, request.url),
    request: () => ({ kind: 'row', read: now(context, asked, question, (again) => questions.get(again)).read, key }),
  });
  if (answer.body === 'null') throw notFound('row of that key');
  return sendJson(context, request, reply, view.name, answer);
}

/** The key of a path: one segment for each of its columns. */
function keyOf(view: View, path: string): readonly string[] {
  const segments = path.split('/').slice(3).map(segmentOf);
  if (segments.length !== view.key.length) throw notFound(`row: the key is ${view.key.join('/')}`);
  const errors: Detail[] = [];
  view.key.forEach((name, index) => {
    const value = segments[index] ?? '';
    const column = view.columns.get(name)?.column;
    const wrong = column === undefined ? 'is not there' : wrongValue(column, value);
    if (wrong !== undefined) errors.push({ at: name, message: wrong });
  });
  if (errors.length > 0) throw badRequest(errors);
  return segments;
}

function segmentOf(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem(400, 'Bad request', 'The path has a broken escape: "%" is followed by two hexadecimal digits of UTF-8.');
  }
}

async function aggregate(context: GatewayContext, asked: Asked): Promise<FastifyReply> {
  const { request, reply, view, query } = asked;
  formatOf(request.headers.accept, ['json']);
  const parameters = parametersOf(query);
  const question = aggregateQuestion(view, request.caller, parameters);
  const answer = await context.answers.read({
    ...callOf(request, [view], request.url),
    request: () => now(context, asked, question, (again) => aggregateQuestion(again.view, request.caller, parameters)),
  });
  if (hasMoreItems(answer.body, mostGroups))
    throw badRequest([{ at: 'group', message: `gives more than ${mostGroups} groups: filter rows, or group by less` }]);
  return sendJson(context, request, reply, view.name, answer);
}

async function batch(context: GatewayContext, asked: Asked): Promise<FastifyReply> {
  const { request, reply, view, query } = asked;
  formatOf(request.headers.accept, ['json']);
  const question = batchQuestion(view, request.caller, request.body, parametersOf(query));
  const text = `${request.url}\n${JSON.stringify(request.body)}`;
  const answer = await context.answers.read({
    ...callOf(request, question.views, text),
    request: () =>
      now(context, asked, question, (again) => batchQuestion(again.view, request.caller, request.body, parametersOf(query))).request,
  });
  request.noted.cache = answer.state;
  return reply.header('content-type', 'application/json; charset=utf-8').send(answer.body);
}
