import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../problem.ts';
import type { Failure } from './failure.ts';

const mediaTypes = ['application/json', 'application/graphql-response+json'] as const;
export type MediaType = (typeof mediaTypes)[number];

/** The type of the answer: GraphQL's own where it is asked for, else JSON; undefined when neither is accepted. */
function acceptedOf(accept: string | undefined): MediaType | undefined {
  if (accept === undefined || accept.trim() === '') return 'application/json';
  const ranges = accept.toLowerCase().split(',').slice(0, 50).map(rangeOf);
  const qualityOf = (type: string): number =>
    ranges.find((range) => range.type === type)?.quality ??
    ranges.find((range) => range.type === 'application/*')?.quality ??
    ranges.find((range) => range.type === '*/*')?.quality ??
    0;
  const [json, own] = [qualityOf(mediaTypes[0]), qualityOf(mediaTypes[1])];
  const isNamed = ranges.some(({ type, quality }) => type === mediaTypes[1] && quality > 0);
  if (json === 0 && own === 0) return undefined;
  return own > json || (isNamed && own === json) ? mediaTypes[1] : mediaTypes[0];
}

function rangeOf(text: string): { readonly type: string; readonly quality: number } {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  const quality = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
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
