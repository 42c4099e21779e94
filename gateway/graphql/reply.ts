import type { FastifyReply, FastifyRequest } from 'fastify';
import { qualityOf, rangesOf } from '../accept.ts';
import { Problem } from '../problem.ts';
import type { Failure } from './failure.ts';

const mediaTypes = ['application/json', 'application/graphql-response+json'] as const;
export type MediaType = (typeof mediaTypes)[number];

/** The type of the answer: GraphQL's own where it is asked for, else JSON; undefined when neither is accepted. */
function acceptedOf(accept: string | undefined): MediaType | undefined {
  if (accept === undefined || accept.trim() === '') return 'application/json';
  const ranges = rangesOf(accept);
  const [json, own] = [qualityOf(mediaTypes[0], ranges), qualityOf(mediaTypes[1], ranges)];
  const isNamed = ranges.some(({ type, quality }) => type === mediaTypes[1] && quality > 0);
  if (json === 0 && own === 0) return undefined;
  return own > json || (isNamed && own === json) ? mediaTypes[1] : mediaTypes[0];
}

/** The type of the answer. Throws 406. */
export function mediaTypeOf({ headers }: Pick<FastifyRequest, 'headers'>): MediaType {
  const type = acceptedOf(headers.accept);
  if (type !== undefined) return type;
  throw new Problem(406, 'Not acceptable', `The answer is of the type ${mediaTypes.join(' or ')}.`);
}

/** Codes of errors that older clients, who ask for plain JSON, expect with the status 200. */
const wellFormed: ReadonlySet<unknown> = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'BAD_USER_INPUT',
  'QUERY_TOO_LARGE',
]);

/** Answers with errors, and no data. */
export function sendFailure({ headers }: Pick<FastifyRequest, 'headers'>, reply: FastifyReply, failure: Failure): FastifyReply {
  const type = acceptedOf(headers.accept) ?? 'application/json';
  const isPlain = type === 'application/json' && failure.status === 400;
  const status = isPlain && failure.errors.every(({ extensions }) => wellFormed.has(extensions['code'])) ? 200 : failure.status;
  return reply
    .code(status)
    .headers({ ...failure.headers, 'cache-control': 'no-store', 'content-type': `${type}; charset=utf-8` })
    .send(JSON.stringify({ errors: failure.errors }));
}
