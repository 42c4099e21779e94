import {
  GraphQLBoolean,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
  type GraphQLOutputType,
  type GraphQLScalarType,
} from 'graphql';
import type { Names } from './names.ts';

const required = (type: GraphQLScalarType | GraphQLObjectType): GraphQLOutputType => new GraphQLNonNull(type);

/** A list that is always there, of objects that are. */
export const listOf = (type: GraphQLObjectType): GraphQLOutputType => new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(type)));

const pageInfo = new GraphQLObjectType({
  name: 'PageInfo',
  fields: {
    hasNextPage: { type: required(GraphQLBoolean) },
    hasPreviousPage: { type: required(GraphQLBoolean) },
    startCursor: { type: GraphQLString },
    endCursor: { type: GraphQLString },
  },
});

/** A connection of Relay: https://relay.dev/graphql/connections.htm */
export function connectionType(names: Names, name: string, node: GraphQLObjectType): GraphQLObjectType {
  const edge = new GraphQLObjectType({
    name: names.give(`${name}Edge`),
    fields: { cursor: { type: required(GraphQLString) }, node: { type: required(node) } },
  });
  return new GraphQLObjectType({
    name: names.give(`${name}Connection`),
    description: 'A page of rows.',
    fields: {
      edges: { type: listOf(edge) },
      nodes: { type: listOf(node) },
      pageInfo: { type: required(pageInfo) },
      totalCount: { type: required(GraphQLInt), description: 'Rows that match in all.' },
    },
  });
}
