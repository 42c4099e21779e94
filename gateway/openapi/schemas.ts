import type { DatasetColumn, JsonType, Mask } from '../../schema/dataset.ts';
import { parseType } from '../../schema/column.ts';
import { longestValue, rangeOf } from '../values.ts';
import type { View } from '../view.ts';

/** A JSON Schema (2020-12), as OpenAPI 3.1 has them. */
export type Schema = Readonly<Record<string, unknown>>;

const special = { enum: ['NaN', 'Infinity', '-Infinity'] };

const ofType: Readonly<Record<JsonType, (column: DatasetColumn) => Schema>> = {
  string: () => ({ type: 'string' }),
  integer: (column) => ({ type: 'integer', ...numericRange(column) }),
  number: () => ({ anyOf: [{ type: 'number', format: 'double' }, special] }),
  boolean: () => ({ type: 'boolean' }),
  bigint: () => ({ type: 'string', format: 'int64', pattern: '^-?[0-9]{1,19}$' }),
  decimal: () => ({ type: 'string', format: 'decimal', pattern: '^(-?[0-9]+(\\.[0-9]+)?|NaN|-?Infinity)$' }),
  date: () => ({ type: 'string', format: 'date' }),
  time: () => ({ type: 'string' }),
  timestamp: (column) => ({ type: 'string', ...(isZoned(column) ? { format: 'date-time' } : {}) }),
  uuid: () => ({ type: 'string', format: 'uuid' }),
  json: () => ({}),
  bytes: () => ({ type: 'string', contentEncoding: 'base64' }),
};

const isZoned = (column: DatasetColumn): boolean => parseType(column.type)?.base === 'timestamptz';

function numericRange(column: DatasetColumn): Schema {
  const [least, greatest] = rangeOf(column);
  return { minimum: Number(least), maximum: Number(greatest) };
}

/** Also NULL. */
function orNull(schema: Schema): Schema {
  if (typeof schema['type'] === 'string') return { ...schema, type: [schema['type'], 'null'] };
  return Array.isArray(schema['anyOf']) ? { anyOf: [...(schema['anyOf'] as readonly unknown[]), { type: 'null' }] } : schema;
}

const masks: Readonly<Record<Mask, Schema>> = {
  hash: { type: ['string', 'null'], pattern: '^[0-9a-f]{64}$' },
  redact: { enum: ['***', null] },
  null: { type: 'null' },
};

/** The values of a column in answers. */
export function columnSchema(column: DatasetColumn, mask?: Mask): Schema {
  const description = [column.comment, mask === undefined ? undefined : `Masked (${mask}): it is shown and can not be used otherwise.`]
    .filter((text) => text !== undefined)
    .join(' ');
  const told = { ...(description === '' ? {} : { description }), 'x-type': column.type };
  if (mask !== undefined) return { ...masks[mask], ...told };
  const one = ofType[column.json](column);
  const schema: Schema = column.array ? { type: 'array', items: { anyOf: [orNull(one), { type: 'array' }] } } : one;
  return { ...(column.nullable ? orNull(schema) : schema), ...told };
}

const ofDay = '((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))';
const ofYear = '(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})';
const ofMoment = '([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?';

/** Whole numbers of 64 bits as text: JSON's readers round their bounds. */
const int64 = (() => {
  const most = '9223372036854775807';
  const ways = Array.from(most, (digit, at) => `${most.slice(0, at)}[0-${Number(digit) - 1}][0-9]{${most.length - at - 1}}`);
  const below = ways.filter((way) => !way.includes('[0--1]'));
  return `^(-?([0-9]{1,18}|${below.join('|')}|${most})|-9223372036854775808)$`;
})();

const given: Readonly<Record<JsonType, (column: DatasetColumn) => Schema>> = {
  ...ofType,
  string: () => ({ type: 'string', maxLength: longestValue, pattern: '^[^\\u0000]*$' }),
  json: () => ({ type: 'string' }),
  number: (column) =>
    parseType(column.type)?.base === 'real'
      ? { type: 'string', format: 'float', pattern: '^-?[0-9]{1,30}(\\.[0-9]{1,6})?$' }
      : { type: 'number', format: 'double', minimum: -Number.MAX_VALUE, maximum: Number.MAX_VALUE },
  bigint: () => ({ type: 'string', format: 'int64', pattern: int64 }),
  decimal: () => ({ type: 'string', format: 'decimal', pattern: '^-?[0-9]{1,400}(\\.[0-9]{1,400})?$' }),
  time: (column) => ({
    type: 'string',
    pattern: `^${ofMoment}${parseType(column.type)?.base === 'timetz' ? '(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])' : ''}$`,
  }),
  timestamp: (column) => ({ type: 'string', pattern: `^${ofYear}-${ofDay}[T ]${ofMoment}${isZoned(column) ? 'Z' : ''}$` }),
};

/** The values that a column can be compared with. */
export const givenSchema = (column: DatasetColumn): Schema => given[column.json](column);

/** Name of the schema of a view's rows. */
export const rowName = (view: View): string => `${view.name}.row`;

/** A row with all that may be asked of it: `fields` and `include` decide what is there. */
export function rowSchema(view: View): Schema {
  const columns = [...view.columns].map(([name, { column, mask }]): [string, Schema] => [name, columnSchema(column, mask)]);
  const relations = [...view.relations].map(([name, { definition, view: other }]): [string, Schema] => {
    const ref = { $ref: `#/components/schemas/${rowName(other())}` };
    return [name, definition.one ? { anyOf: [ref, { type: 'null' }] } : { type: 'array', items: ref }];
  });
  return {
    type: 'object',
    ...(view.description === undefined ? {} : { description: view.description }),
    properties: Object.fromEntries([...columns, ...relations]),
    additionalProperties: false,
  };
}

/** The views and all that their relations lead to, each once. */
export function reachable(views: readonly View[]): readonly View[] {
  const found = new Map<string, View>();
  const visit = (view: View): void => {
    if (found.has(view.name)) return;
    found.set(view.name, view);
    for (const { view: other } of view.relations.values()) visit(other());
  };
  views.forEach(visit);
  return [...found.values()];
}
