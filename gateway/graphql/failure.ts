import { GraphQLError, type ASTNode } from 'graphql';
import type { Problem } from '../problem.ts';

/** What `extensions.code` says. */
export type FailureCode =
  | 'BAD_REQUEST'
  | 'GRAPHQL_PARSE_FAILED'
  | 'GRAPHQL_VALIDATION_FAILED'
  | 'OPERATION_RESOLUTION_FAILURE'
  | 'BAD_USER_INPUT'
  | 'QUERY_TOO_LARGE'
  | 'FORBIDDEN';

/** A request that isn't answered, because of these errors. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly status: number;
  readonly errors: readonly GraphQLError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, errors: readonly GraphQLError[], headers: Readonly<Record<string, string>> = {}) {
    super(errors[0]?.message);
    this.status = status;
    this.errors = errors;
    this.headers = headers;
  }
}

/** An error of GraphQL with its code, at a place in the query. */
export const graphqlError = (code: FailureCode, message: string, at?: ASTNode): GraphQLError =>
  new GraphQLError(message, { nodes: at ?? null, extensions: { code } });

/** Something in the query or its variables that can't be answered. */
export const inputFailure = (message: string, at?: ASTNode): Failure => new Failure(400, [graphqlError('BAD_USER_INPUT', message, at)]);

/** A query that asks for more than is allowed. */
export const tooLarge = (message: string, at?: ASTNode): Failure => new Failure(400, [graphqlError('QUERY_TOO_LARGE', message, at)]);

/** A problem of the gateway as an error of GraphQL: `Too many requests` has the code TOO_MANY_REQUESTS. */
export const problemFailure = ({ status, title, message, headers }: Problem): Failure =>
  new Failure(status, [new GraphQLError(message, { extensions: { code: title.toUpperCase().replaceAll(/\W+/g, '_') } })], headers);
