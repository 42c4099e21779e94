import type { FastifyReply, FastifyRequest } from 'fastify';
import { hasScope, scopeMissing } from '../access/scopes.ts';
import type { GatewayContext, Part } from '../context.ts';
import { problemOf } from '../operation/failures.ts';
import { Problem } from '../problem.ts';
import { isKnown } from '../entity-tag.ts';
import { operationOf, validDocument } from './document.ts';
import { answer, planOperation, type OperationPlan } from './execute.ts';
import { Failure, graphqlError, problemFailure } from './failure.ts';
import { serveGraphiql } from './graphiql.ts';
import { keepPlans, type Plans } from './plans.ts';
import { mediaTypeOf, sendFailure } from './reply.ts';
import { graphqlRequest, type GraphqlRequest } from './request.ts';
import { roleSchema } from './role-schema.ts';

/** The published datasets over GraphQL, and a page to try it. */
export const graphqlPart: Part = (server, context) => {
  const { definition } = context;
  server.removeContentTypeParser('text/plain');
  server.setErrorHandler((error, request, reply) => {
    const failure = failureOf(error, request.routeOptions.bodyLimit);
    if (failure === undefined || failure.status >= 500) throw error;
    return sendFailure(request, reply, failure);
  });
  const hasAnonymous = definition.apis.some(({ roles }) => Object.hasOwn(roles, 'anonymous'));
  if (definition.graphql.graphiql) serveGraphiql(server, !hasAnonymous);
  const plans = keepPlans(context);
  server.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    config: { access: { kind: 'api' } },
    handler: async (request, reply) => await handle(context, plans, request, reply),
  });
};

function failureOf(error: unknown, bodyBytes: number | undefined): Failure | undefined {
  if (error instanceof Failure) return error;
  const problem = problemOf(error, bodyBytes);
  return problem === undefined ? undefined : problemFailure(problem);
}

async function handle(context: GatewayContext, plans: Plans, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { caller } = request;
  const type = mediaTypeOf(request);
  // Before the plan: shapes may change while its limits are asked for.
  const { generation } = context.catalog;
  const { asked, question, plan } = await plannedOf(context, plans, request);
  request.noted.api = 'graphql';
  for (const api of plan.apis) if (!hasScope(caller, `api:${api}`)) throw scopeMissing(`api:${api}`);
  for (const api of plan.apis.length === 0 ? ['graphql'] : plan.apis) void reply.headers(await context.limits.take(api, caller));
  const { data, etag, state } = await answer(plan, context.answers, {
    question,
    caller,
    again: () => (context.catalog.generation === generation ? plan : planOf(context, request, asked)),
  });
  if (state !== undefined) request.noted.cache = state;
  if (etag !== undefined && request.method === 'GET') {
    void reply.header('etag', etag);
    if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send();
  }
  return reply.header('content-type', `${type}; charset=utf-8`).send(`{"data":${data}}`);
}

const questionOf = ({ query, operationName = '', variables }: GraphqlRequest): string =>
  `graphql ${operationName}\n${JSON.stringify(variables)}\n${query}`;

interface Planned {
  readonly asked: GraphqlRequest;
  /** What is asked, apart from who asks. */
  readonly question: string;
  readonly plan: OperationPlan;
}

/** The plan of a request. One that has none counts, too: trying is limited. */
async function plannedOf(context: GatewayContext, plans: Plans, request: FastifyRequest): Promise<Planned> {
  try {
    const asked = graphqlRequest(request);
    const question = questionOf(asked);
    const plan = plans(request.caller, question, () => planOf(context, request, asked));
    return { asked, question, plan };
  } catch (error) {
    await context.limits.take('graphql', request.caller);
    throw error;
  }
}

function planOf({ catalog, definition }: GatewayContext, { method, caller }: FastifyRequest, asked: GraphqlRequest): OperationPlan {
  const role = roleSchema(catalog, caller.role);
  if (role === undefined) throw new Problem(403, 'Forbidden', 'No API is there for the role of this token.');
  const { maxDepth, maxCost, graphiql } = definition.graphql;
  const document = validDocument(role, asked.query, { maxDepth, introspection: graphiql || caller.role !== 'anonymous' });
  const operation = operationOf(document, asked.operationName);
  if (operation.operation !== 'query') {
    const status = method === 'GET' ? 405 : 400;
    const words = `There are no ${operation.operation}s here: data is read, and changes come by /changes.`;
    throw new Failure(status, [graphqlError('OPERATION_RESOLUTION_FAILURE', words, operation)], status === 405 ? { allow: 'POST' } : {});
  }
  return planOperation({ role, document, operation, variables: asked.variables, caller, limits: { maxDepth, maxCost } });
}
