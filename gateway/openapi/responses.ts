import type { Schema } from './schemas.ts';

export type Response = Readonly<Record<string, unknown>>;

/** What CSV does to text. */
export const csvText =
  "In CSV, text that begins with `=`, `+`, `-`, `@`, a tab or a line break has a `'` before it, lest a spreadsheet takes it for a formula; JSON and NDJSON are exact.";

const text = { type: 'string' };
const header = (description: string, schema: Schema = text): Schema => ({ description, schema });

/** Headers of answers, by name of the component. */
export const headers: Readonly<Record<string, Schema>> = {
  ETag: header('Names this answer: send it as If-None-Match.'),
  Link: header('The next page: `<…>; rel="next"`.'),
  RateLimit: header('What is left of the limits, and when there is more.'),
  'RateLimit-Policy': header('The limits.'),
  'Retry-After': header('Seconds until it may be tried again.', { type: 'integer', minimum: 0 }),
  'X-Request-Id': header('Names the request in the logs.'),
  'WWW-Authenticate': header('How to say who asks.'),
  'Content-Disposition': header('Name of the file.'),
  Allow: header('Methods of the path.'),
};

export const headerRefs = (...names: readonly string[]): Schema =>
  Object.fromEntries([...names, 'X-Request-Id'].map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** RFC 9457, as all failures are told. */
export const problemSchema: Schema = {
  type: 'object',
  description: 'What is wrong (RFC 9457). It holds no value of a row.',
  required: ['type', 'title', 'status', 'detail'],
  properties: {
    type: { ...text, format: 'uri', description: '`urn:millrace:problem:…`' },
    title: text,
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: text,
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['at', 'message'],
        properties: { at: { ...text, description: 'A parameter, or a JSON pointer into the body.' }, message: text },
        additionalProperties: false,
      },
    },
    id: { ...text, description: 'The request in the log.' },
  },
  additionalProperties: false,
};

const problem = (description: string, ...names: readonly string[]): Response => ({
  description,
  headers: headerRefs(...names),
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/problem' } } },
});

/** Failures, by status. */
export const problems: Readonly<Record<string, Response>> = {
  '400': problem('Something in the request is wrong: `errors` says each.'),
  '401': problem('The token is missing, unknown, expired or revoked.', 'WWW-Authenticate'),
  '403': problem('The token lacks a scope or a claim.', 'WWW-Authenticate'),
  '404': problem('It is not there, not for this role, or not published yet.'),
  '410': problem('What is behind the cursor is kept no longer.'),
  '405': problem('Not a method of this path.', 'Allow'),
  '406': problem('None of the types that are accepted is given.'),
  '408': problem('The request came too slowly.'),
  '409': problem('Something else is under way.'),
  '413': problem('The body is larger, or has more in it, than `detail` says: send less at a time.'),
  '414': problem('The address is too long.'),
  '415': problem('The body is of a type that is not taken: `detail` names those that are.'),
  '422': problem('What was sent is not as its schema says: `errors` says each.'),
  '429': problem('Too many requests.', 'Retry-After', 'RateLimit', 'RateLimit-Policy'),
  '431': problem('The headers are too large.'),
  '500': problem('A fault of the gateway.'),
  '503': problem('Too much at once, or the warehouse can not be reached.', 'Retry-After'),
  '504': problem('The warehouse took too long.'),
};

/** References to these failures, and to those that any request may meet. */
export const problemRefs = (...statuses: readonly string[]): Schema =>
  Object.fromEntries(
    [...new Set([...statuses, '400', '401', '403', '405', '408', '429', '431', '500', '503'])]
      .toSorted()
      .map((status) => [status, { $ref: `#/components/responses/${status}` }]),
  );

export const notModified: Response = { description: 'The answer is still the one that If-None-Match names.', headers: headerRefs('ETag') };

/** An answer of JSON. */
export const json = (description: string, schema: Schema, ...names: readonly string[]): Response => ({
  description,
  headers: headerRefs(...names),
  content: { 'application/json': { schema } },
});
