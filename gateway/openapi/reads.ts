import { bounds } from '../rest/filters.ts';
import { settings } from '../rest/question.ts';
import { measuresOf } from '../values.ts';
import type { View } from '../view.ts';
import { aggregateParameters, getParameters, listParameters, type Parameter } from './parameters.ts';
import { csvText, headerRefs, json, notModified, problemRefs } from './responses.ts';
import { columnSchema, givenSchema, rowName, type Schema } from './schemas.ts';

const limits = ['RateLimit', 'RateLimit-Policy'] as const;
const kept = ['ETag', ...limits] as const;
const condition: Parameter = {
  name: 'If-None-Match',
  in: 'header',
  description: 'ETag of an answer that the caller has.',
  schema: { type: 'string' },
};

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** Schemas of the answers of a view: its list, its batch and its groups. */
export function answerSchemas(view: View): Readonly<Record<string, Schema>> {
  const row = ref(rowName(view));
  return {
    [`${view.name}.page`]: {
      type: 'object',
      required: ['data', 'next'],
      properties: {
        data: { type: 'array', items: row },
        count: { type: 'integer', minimum: 0, description: 'Rows on all pages, where `count` asks for it.' },
        next: { type: ['string', 'null'], description: 'Cursor of the next page; null on the last one.' },
      },
      additionalProperties: false,
    },
    [`${view.name}.batch`]: {
      type: 'object',
      required: ['data'],
      properties: { data: { type: 'array', items: { anyOf: [row, { type: 'null' }] } } },
      additionalProperties: false,
    },
    [`${view.name}.groups`]: {
      type: 'object',
      required: ['data'],
      properties: { data: { type: 'array', maxItems: 1000, items: groupSchema(view) } },
      additionalProperties: false,
    },
  };
}

function groupSchema(view: View): Schema {
  const columns = [...view.columns.values()].filter(({ mask }) => mask === undefined).map(({ column }) => column);
  const group = Object.fromEntries(columns.map((column) => [column.name, columnSchema({ ...column, nullable: true })]));
  const measured = (['sum', 'avg', 'min', 'max'] as const).map((measure) => {
    const own = columns.filter((column) => measuresOf(column).includes(measure));
    const properties = own.map((column): [string, Schema] => {
      const isSum = measure === 'sum' || measure === 'avg';
      const json = isSum && column.json !== 'number' ? 'decimal' : column.json;
      return [column.name, columnSchema({ ...column, json, nullable: true })];
    });
    return [measure, { type: 'object', properties: Object.fromEntries(properties), additionalProperties: false }] as const;
  });
  const counts = Object.fromEntries(columns.map(({ name }) => [name, { type: 'integer', minimum: 0 }]));
  return {
    type: 'object',
    properties: {
      group: { type: 'object', properties: group, additionalProperties: false },
      count: { type: 'integer', minimum: 0 },
      counts: { type: 'object', properties: counts, additionalProperties: false },
      ...Object.fromEntries(measured),
    },
    additionalProperties: false,
  };
}

/** Paths of a view. */
export function readPaths(view: View): Readonly<Record<string, Schema>> {
  const { name } = view;
  const about = { tags: [name], ...(view.description === undefined ? {} : { description: view.description }) };
  const key = view.key.map((column): Parameter => keyParameter(view, column));
  return {
    [`/api/${name}`]: { get: { ...about, operationId: `list_${name}`, summary: `Rows of ${name}`, ...list(view) } },
    [`/api/${name}/${view.key.map((column) => `{${column}}`).join('/')}`]: {
      parameters: key,
      get: { ...about, operationId: `get_${name}`, summary: `One row of ${name}`, ...get(view) },
    },
    [`/batch/${name}`]: { post: { ...about, operationId: `batch_${name}`, summary: `Rows of ${name} by their keys`, ...batch(view) } },
    [`/aggregate/${name}`]: { get: { ...about, operationId: `aggregate_${name}`, summary: `Groups of ${name}`, ...aggregate(view) } },
  };
}

function keyParameter(view: View, column: string): Parameter {
  const found = view.columns.get(column)?.column;
  const schema = found === undefined ? { type: 'string' } : givenSchema(found);
  return { name: column, in: 'path', required: true, schema: schema['type'] === 'string' ? { ...schema, minLength: 1 } : schema };
}

/** In a body, JSON's numbers are exact up to 2^53; larger ones are text. */
function bodyKey(view: View, column: string): unknown {
  const { schema } = keyParameter(view, column);
  if (view.columns.get(column)?.column.json !== 'bigint') return schema;
  return { anyOf: [schema, { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }] };
}

function list(view: View): Schema {
  const lines = { type: 'string', description: 'Rows as they come, one a line.' };
  const page = json('A page of rows, or all of them as a stream.', ref(`${view.name}.page`), ...kept, 'Link', 'Content-Disposition');
  const content = {
    'application/json': { schema: ref(`${view.name}.page`) },
    'application/x-ndjson': { schema: lines },
    'text/csv': { schema: { type: 'string', description: `Rows as they come, below a line of names. ${csvText}` } },
  };
  return {
    parameters: [condition, ...listParameters(view, settings.list)],
    responses: { '200': { ...page, content }, '304': notModified, ...problemRefs('404', '406', '414', '504') },
  };
}

function get(view: View): Schema {
  return {
    parameters: [condition, ...getParameters(view)],
    responses: { '200': json('The row.', ref(rowName(view)), ...kept), '304': notModified, ...problemRefs('404', '406', '414', '504') },
  };
}

function batch(view: View): Schema {
  const parts = view.key.map((column) => bodyKey(view, column));
  const key = parts.length === 1 ? parts[0] : { type: 'array', prefixItems: parts, minItems: parts.length, maxItems: parts.length };
  const names = (values: readonly string[], maxItems: number): Schema => ({
    type: 'array',
    maxItems,
    items: { type: 'string', enum: values },
  });
  const schema = {
    type: 'object',
    required: ['keys'],
    properties: {
      keys: { type: 'array', maxItems: bounds.keys, items: key },
      fields: { ...names([...view.columns.keys()], bounds.fields), minItems: 1 },
      ...(view.relations.size === 0 ? {} : { include: names([...view.relations.keys()], bounds.relations) }),
    },
    additionalProperties: false,
  };
  const answer = {
    ...json('The rows in the order of the keys; null where there is none.', ref(`${view.name}.batch`)),
    headers: headerRefs(...limits),
  };
  return {
    parameters: getParameters(view).filter(({ name }) => name !== 'fields' && name !== 'include'),
    requestBody: { required: true, content: { 'application/json': { schema } } },
    responses: { '200': answer, ...problemRefs('404', '406', '413', '414', '415', '504') },
  };
}

function aggregate(view: View): Schema {
  return {
    parameters: [condition, ...aggregateParameters(view, settings.aggregate)],
    responses: {
      '200': json('The groups, in the order of their columns.', ref(`${view.name}.groups`), ...kept),
      '304': notModified,
      ...problemRefs('404', '406', '414', '504'),
    },
  };
}
