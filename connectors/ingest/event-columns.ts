import type { Column, ColumnType } from '../../schema/column.ts';
import { MillraceError } from '../../schema/errors.ts';

/** Columns of an event beside those of its schema. */
export const eventIdColumn = '_event_id';
export const receivedAtColumn = '_received_at';
/** What no column of the schema takes, as a JSON object. */
export const otherColumn = '_other';

const reserved: ReadonlySet<string> = new Set([
  eventIdColumn,
  receivedAtColumn,
  otherColumn,
  '_load_id',
  '_loaded_at',
  '_deleted_at',
  '_millrace_order',
]);

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The schema that a local reference means; other references stay what they are. */
function resolved(schema: unknown, root: JsonObject): unknown {
  let found = schema;
  for (let depth = 0; depth < 10 && isObject(found) && typeof found['$ref'] === 'string' && found['$ref'].startsWith('#/'); depth += 1) {
    const parts = found['$ref'].slice(2).split('/');
    found = parts
      .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>((inner, part) => (isObject(inner) && Object.hasOwn(inner, part) ? inner[part] : undefined), root);
  }
  return found;
}

const isNull = (schema: unknown): boolean => isObject(schema) && schema['type'] === 'null';

/** `anyOf` of one schema and null is that schema. */
function withoutNull(schema: unknown, root: JsonObject): unknown {
  if (!isObject(schema)) return schema;
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (!Array.isArray(choices)) return schema;
  const others = choices.filter((choice) => !isNull(choice));
  return others.length === 1 && others.length < choices.length ? resolved(others[0], root) : schema;
}

const textTypes: Readonly<Record<string, ColumnType>> = { 'date-time': 'timestamptz', date: 'date', uuid: 'uuid' };

function typesOf({ type, enum: values, const: constant }: JsonObject): readonly unknown[] {
  if (type !== undefined) return (Array.isArray(type) ? type : [type]).filter((one) => one !== 'null');
  const given = Array.isArray(values) ? values : constant === undefined ? [] : [constant];
  return [...new Set(given.filter((value) => value !== null).map((value) => (typeof value === 'string' ? 'string' : 'mixed')))];
}

function columnType(schema: unknown): ColumnType {
  if (!isObject(schema)) return 'jsonb';
  const [type, ...more] = typesOf(schema);
  if (more.length > 0) return 'jsonb';
  if (type === 'integer') return 'bigint';
  if (type === 'number') return 'numeric';
  if (type === 'boolean') return 'boolean';
  if (type !== 'string') return 'jsonb';
  const { format } = schema;
  return (typeof format === 'string' && Object.hasOwn(textTypes, format) ? textTypes[format] : undefined) ?? 'text';
}

function checkNames(names: readonly string[], place: string): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    if (name === '' || Buffer.byteLength(name) > 63)
      throw new MillraceError('config', `${place}: the property "${name}" can't be a column: it has 1 to 63 bytes`);
    if (reserved.has(name))
      throw new MillraceError('config', `${place}: the property ${name} has the name of a column of Millrace's own; rename it`);
    const other = seen.get(name.toLowerCase());
    if (other !== undefined)
      throw new MillraceError('config', `${place}: the properties ${other} and ${name} differ only in upper and lower case; rename one`);
    seen.set(name.toLowerCase(), name);
  }
}

const keyTypes: ReadonlySet<string> = new Set(['text', 'bigint', 'uuid']);

function checkKey(columns: readonly Column[], key: string, place: string): void {
  const column = columns.find(({ name }) => name === key);
  if (column === undefined) throw new MillraceError('config', `${place}: key ${key} is not among the properties`);
  if (!keyTypes.has(column.type)) throw new MillraceError('config', `${place}: key ${key} must be a string or an integer`);
}

/**
 * The columns of events of a JSON Schema: its properties, then ours. Nested values are `jsonb`, as are those of several types.
 * Throws `config` naming the property, for one that can't be a column.
 */
export function eventColumns(schema: unknown, key: string | undefined, place: string): readonly Column[] {
  if (!isObject(schema)) throw new MillraceError('config', `${place}: a JSON Schema is an object`);
  const root = resolved(schema, schema);
  const properties = isObject(root) ? root['properties'] : undefined;
  if (!isObject(properties) || Object.keys(properties).length === 0)
    throw new MillraceError('config', `${place}: the schema of an event needs properties: they are the columns`);
  checkNames(Object.keys(properties), place);
  const columns = Object.entries(properties).map(([name, property]) => ({
    name,
    type: columnType(withoutNull(resolved(property, schema), schema)),
  }));
  if (key !== undefined) checkKey(columns, key, place);
  return [
    ...columns,
    ...(key === undefined ? [{ name: eventIdColumn, type: 'text' }] : []),
    { name: receivedAtColumn, type: 'timestamptz' },
    { name: otherColumn, type: 'jsonb' },
  ];
}
