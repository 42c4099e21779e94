import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { queryOf } from '../address.ts';
import { requireFewValues } from './bounds.ts';
import { Failure, graphqlError } from './failure.ts';

/** What is asked, whichever way it came: https://graphql.github.io/graphql-over-http/draft/ */
export interface GraphqlRequest {
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
}

const anObject = z.record(z.string(), z.unknown(), 'must be an object').nullish();
const form = z.object(
  {
    query: z.string('must be text').min(1, 'must not be empty'),
    operationName: z.string('must be text').nullish(),
    variables: anObject,
    extensions: anObject,
  },
  'must be an object with "query"',
);

/** The request of a body or of an address. Throws `Failure`. */
export function graphqlRequest({ method, body, url }: Pick<FastifyRequest, 'method' | 'body' | 'url'>): GraphqlRequest {
  const given = method === 'GET' || method === 'HEAD' ? ofAddress(queryOf({ url })) : body;
  if (Array.isArray(given)) throw unreadable(['One query is taken at a time, not a list of them.']);
  const parsed = form.safeParse(given);
  if (!parsed.success) throw unreadable(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'The body'} ${message}.`));
  const { query, operationName, variables } = parsed.data;
  requireFewValues(variables);
  return { query, operationName: operationName === '' ? undefined : (operationName ?? undefined), variables: variables ?? {} };
}

const address = z.looseObject({ variables: z.string().optional(), extensions: z.string().optional() });

/** `variables` and `extensions` of an address are JSON. */
function ofAddress(parameters: unknown): unknown {
  const given = address.safeParse(parameters);
  if (!given.success) throw unreadable(['A parameter is given twice.']);
  const { variables, extensions } = given.data;
  return { ...given.data, variables: jsonOf('variables', variables), extensions: jsonOf('extensions', extensions) };
}

function jsonOf(name: string, text: string | undefined): unknown {
  if (text === undefined || text === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    throw unreadable([`"${name}" must be JSON.`]);
  }
}

const unreadable = (messages: readonly string[]): Failure =>
  new Failure(
    400,
    messages.map((message) => graphqlError('BAD_REQUEST', message)),
  );
