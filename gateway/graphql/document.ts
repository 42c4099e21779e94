import {
  GraphQLError,
  Kind,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { bounds, requireSmall } from './bounds.ts';
import { Failure, graphqlError, type FailureCode } from './failure.ts';
import type { RoleSchema } from './role-schema.ts';

/** A query that is valid for a role. */
export interface ValidDocument {
  readonly operations: readonly OperationDefinitionNode[];
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
}

export interface DocumentSettings {
  readonly maxDepth: number;
  readonly introspection: boolean;
}

const keptQueries = 500;
const longestKept = 10_000;
const mostErrors = 5;

const kept = new WeakMap<RoleSchema, LRUCache<string, ValidDocument>>();

/** Parses and validates a query for a role; what was valid is kept. Throws `Failure`. */
export function validDocument(role: RoleSchema, query: string, settings: DocumentSettings): ValidDocument {
  const known = kept.get(role) ?? new LRUCache<string, ValidDocument>({ max: keptQueries });
  kept.set(role, known);
  const found = known.get(query);
  if (found !== undefined) return found;
  const document = parsed(query);
  requireSmall(document, settings.maxDepth);
  requireValid(role, document, settings);
  const valid: ValidDocument = {
    operations: document.definitions.filter((one): one is OperationDefinitionNode => one.kind === Kind.OPERATION_DEFINITION),
    fragments: new Map(
      document.definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one] as const] : [])),
    ),
  };
  if (query.length <= longestKept) known.set(query, valid);
  return valid;
}

function parsed(query: string): DocumentNode {
  try {
    return parse(query, { maxTokens: bounds.tokens });
  } catch (error) {
    if (error instanceof GraphQLError) throw new Failure(400, [coded(error, 'GRAPHQL_PARSE_FAILED')]);
    throw error;
  }
}

function requireValid(role: RoleSchema, document: DocumentNode, { introspection }: DocumentSettings): void {
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  const errors = validate(role.schema, document, rules, { maxErrors: mostErrors });
  if (errors.length === 0) return;
  const shown = introspection ? errors : errors.map(withoutSuggestion);
  throw new Failure(
    400,
    shown.map((error) => coded(error, 'GRAPHQL_VALIDATION_FAILED')),
  );
}

/** Where the schema isn't shown, guesses aren't helped on either. */
const withoutSuggestion = ({ message, nodes }: GraphQLError): GraphQLError =>
  new GraphQLError(message.replace(/ Did you mean .*$/s, ''), { nodes: nodes ?? null });

const longestMessage = 500;

/** The error with a code, and without what is long in it. */
export const coded = ({ message, nodes, source, positions }: GraphQLError, code: FailureCode): GraphQLError =>
  new GraphQLError(message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    extensions: { code },
  });

/** The operation of a name, or the only one. Throws `Failure`. */
export function operationOf({ operations }: ValidDocument, name: string | undefined): OperationDefinitionNode {
  const [first] = operations;
  const found = name === undefined ? first : operations.find((one) => one.name?.value === name);
  const code = 'OPERATION_RESOLUTION_FAILURE';
  if (found === undefined)
    throw new Failure(400, [
      graphqlError(code, name === undefined ? 'The query has no operation.' : 'There is no operation of that name.'),
    ]);
  if (name === undefined && operations.length > 1)
    throw new Failure(400, [graphqlError(code, 'The query has several operations: "operationName" must say which.')]);
  return found;
}
