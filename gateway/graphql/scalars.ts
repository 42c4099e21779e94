import {
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLError,
  GraphQLFloat,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLScalarType,
  GraphQLString,
  Kind,
  type GraphQLInputType,
  type ValueNode,
} from 'graphql';
import type { Comparison, DatasetColumn, JsonType } from '../../schema/dataset.ts';
import { comparisonsOf } from '../values.ts';

const safeDigits = 15;

/** The text of a number of a JSON body; undefined where JavaScript may have rounded it. */
function exactNumber(value: number): string | undefined {
  const digits = value.toExponential().replace(/e.*$/, '').replaceAll(/[-.]/g, '');
  return Number.isFinite(value) && digits.length <= safeDigits ? String(value) : undefined;
}

const isNumeric = (json: JsonType): boolean => json === 'bigint' || json === 'decimal';

/** Values of it travel as text in both directions; what a text must be is checked by the column (`gateway/values.ts`). */
function textScalar(name: string, json: JsonType, description: string): GraphQLScalarType<string, string> {
  const fail = (message: string): never => {
    throw new GraphQLError(`${name} ${message}`);
  };
  return new GraphQLScalarType<string, string>({
    name,
    description,
    parseValue(value) {
      if (typeof value === 'string') return value;
      if (typeof value !== 'number' || !isNumeric(json)) return fail('must be given as text');
      return exactNumber(value) ?? fail(`of more than ${safeDigits} digits must be given as text`);
    },
    parseLiteral(node: ValueNode) {
      if (node.kind === Kind.STRING) return node.value;
      const isNumber = node.kind === Kind.INT || (node.kind === Kind.FLOAT && json === 'decimal');
      return isNumber && isNumeric(json) ? node.value : fail('must be given as text');
    },
  });
}

const bigInt = textScalar('BigInt', 'bigint', 'A 64-bit whole number, as text: "9007199254740993".');
const scalars: Readonly<Record<JsonType, GraphQLScalarType>> = {
  string: GraphQLString,
  integer: GraphQLInt,
  number: GraphQLFloat,
  boolean: GraphQLBoolean,
  bigint: bigInt,
  decimal: textScalar('Decimal', 'decimal', 'A decimal number of any precision, as text: "12.50".'),
  date: textScalar('Date', 'date', 'A date: "2026-01-31".'),
  time: textScalar('Time', 'time', 'A time of day: "13:45:00".'),
  timestamp: textScalar('DateTime', 'timestamp', 'A date and time: "2026-01-31T13:45:00Z".'),
  uuid: textScalar('UUID', 'uuid', 'A UUID.'),
  json: textScalar('JSON', 'json', 'Any JSON.'),
  bytes: textScalar('Bytes', 'bytes', 'Bytes in hexadecimal: "\\x0aff".'),
};

/** The scalar that values of a JSON type have. */
export const scalarOf = (json: JsonType): GraphQLScalarType => scalars[json];

const words: Readonly<Record<Comparison, string>> = {
  eq: 'Equal.',
  ne: 'Not equal; also NULL.',
  gt: 'Greater.',
  gte: 'Greater or equal.',
  lt: 'Less.',
  lte: 'Less or equal.',
  in: 'One of these.',
  not_in: 'None of these; also NULL.',
  contains: 'Has this text in it, whatever its case.',
  starts: 'Begins with this text.',
  null: 'Whether it is NULL.',
};

const made = new Map<string, GraphQLInputObjectType>();

/** The conditions that a column can be filtered by. Columns of like types share one. */
export function conditionsOf(column: DatasetColumn): GraphQLInputObjectType {
  const comparisons = comparisonsOf(column);
  const name = conditionsName(column, comparisons);
  const found = made.get(name);
  if (found !== undefined) return found;
  const scalar = scalarOf(column.json);
  const typeOf = (comparison: Comparison): GraphQLInputType => {
    if (comparison === 'null') return GraphQLBoolean;
    return comparison === 'in' || comparison === 'not_in' ? new GraphQLList(new GraphQLNonNull(scalar)) : scalar;
  };
  const type = new GraphQLInputObjectType({
    name,
    fields: Object.fromEntries(comparisons.map((comparison) => [comparison, { type: typeOf(comparison), description: words[comparison] }])),
  });
  made.set(name, type);
  return type;
}

function conditionsName(column: DatasetColumn, comparisons: readonly Comparison[]): string {
  if (comparisons.length === 1) return 'NullFilter';
  const scalar = scalarOf(column.json).name;
  return column.json === 'string' && !comparisons.includes('contains') ? 'StringEqualityFilter' : `${scalar}Filter`;
}

/** Names of types that no API can have. */
export const ownTypeNames: readonly string[] = [
  'Query',
  'Mutation',
  'Subscription',
  'PageInfo',
  'ID',
  'NullFilter',
  'StringEqualityFilter',
  ...Object.values(scalars).flatMap(({ name }) => [name, `${name}Filter`]),
];

/** An enum of these names and what they stand for. */
export const enumOf = (name: string, description: string, values: ReadonlyMap<string, unknown>): GraphQLEnumType =>
  new GraphQLEnumType({ name, description, values: Object.fromEntries([...values].map(([key, value]) => [key, { value }])) });
