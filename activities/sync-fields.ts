import { closest } from 'fastest-levenshtein';
import type { Field, ObjectDescription } from '../connectors/application.ts';
import { parseType, type Column } from '../schema/column.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';

/** Sentences: what can't work, and what may not. */
export interface Findings {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

type Mapping = Pick<SyncDefinition, 'mode' | 'match' | 'map' | 'model'>;

type Family = 'text' | 'boolean' | 'integer' | 'number' | 'date' | 'datetime' | 'json' | 'bytes' | 'other';

const families: Readonly<Record<string, Family>> = {
  text: 'text',
  varchar: 'text',
  char: 'text',
  uuid: 'text',
  boolean: 'boolean',
  smallint: 'integer',
  integer: 'integer',
  bigint: 'integer',
  numeric: 'number',
  real: 'number',
  double: 'number',
  date: 'date',
  timestamp: 'datetime',
  timestamptz: 'datetime',
  json: 'json',
  jsonb: 'json',
  bytea: 'bytes',
};

function familyOf({ type }: Column): Family {
  const parsed = parseType(type);
  if (parsed === undefined) return 'other';
  return parsed.array ? 'json' : (families[parsed.base] ?? 'other');
}

/** Families that a type of field never takes, and those of which it takes some values. */
const fits: Readonly<Record<Field['type'], { readonly never: readonly Family[]; readonly some: readonly Family[] }>> = {
  any: { never: [], some: [] },
  string: { never: [], some: [] },
  json: { never: [], some: [] },
  enum: { never: ['json', 'bytes'], some: [] },
  number: { never: ['boolean', 'json', 'bytes', 'date', 'datetime'], some: ['text'] },
  integer: { never: ['boolean', 'json', 'bytes', 'date', 'datetime'], some: ['text', 'number'] },
  boolean: { never: ['json', 'bytes', 'date', 'datetime'], some: ['text', 'integer', 'number'] },
  date: { never: ['boolean', 'json', 'bytes'], some: ['text', 'integer', 'number'] },
  datetime: { never: ['boolean', 'json', 'bytes'], some: ['text', 'integer', 'number'] },
};

const nearest = (name: string, names: readonly string[]): string => (names.length === 0 ? '' : `; did you mean ${closest(name, names)}?`);

/** Columns that the definition names and the model doesn't have. */
export function columnProblems({ match, map, model }: Mapping, columns: readonly Column[]): readonly string[] {
  const names = columns.map(({ name }) => name);
  const wanted = [...new Set([...model.key, ...[...match, ...map].map(({ column }) => column)])];
  return wanted.filter((name) => !names.includes(name)).map((name) => `model ${model.name} has no column ${name}${nearest(name, names)}`);
}

function typeFinding(column: Column, field: Field): { readonly problem?: string; readonly warning?: string } {
  const family = familyOf(column);
  const { never, some } = fits[field.type];
  const said = `column ${column.name} (${column.type}) to field ${field.name} (${field.type})`;
  if (never.includes(family)) return { problem: `${said}: its values don't fit` };
  if (some.includes(family)) return { warning: `${said}: values that are none of its type will be refused` };
  return {};
}

function mappedFinding(column: Column | undefined, field: Field): { readonly problem?: string; readonly warning?: string } {
  if (field.readOnly) return { problem: `field ${field.name} can't be written: take it out of map` };
  return column === undefined ? {} : typeFinding(column, field);
}

/** Fields that a new object must have and isn't given. */
function requiredFindings({ mode, match, map }: Mapping, fields: readonly Field[]): Findings {
  const creates = mode === 'insert' || mode === 'upsert' || mode === 'mirror';
  const given = new Set([...match, ...map].map(({ field }) => field));
  const missing = fields.filter((field) => field.required && !field.readOnly && !given.has(field.name)).map(({ name }) => name);
  if (!creates || missing.length === 0) return { problems: [], warnings: [] };
  const said = `new objects need ${missing.join(', ')}: give ${missing.length === 1 ? 'it' : 'them'} a column in map`;
  return mode === 'insert'
    ? { problems: [said], warnings: [] }
    : { problems: [], warnings: [`${said}; until then only objects that are there can be written`] };
}

/** A single field that finds an object must find one; where the application knows of such fields. */
function matchProblems({ match, mode }: Mapping, fields: readonly Field[]): readonly string[] {
  const unique = fields.filter((field) => field.unique).map(({ name }) => name);
  const [only, ...more] = match;
  const found = fields.find(({ name }) => name === only?.field);
  const finds = mode !== 'insert' && more.length === 0 && unique.length > 0;
  if (!finds || found === undefined || found.unique) return [];
  return [
    `match: field ${found.name} doesn't find one object: several may have the same value; those that do: ${unique.slice(0, 10).join(', ')}`,
  ];
}

/** Holds a mapping against what the application says of its object. */
export function fieldFindings(sync: Mapping, columns: readonly Column[], { fields, closed }: ObjectDescription): Findings {
  const problems: string[] = [...matchProblems(sync, fields)];
  const warnings: string[] = [];
  const names = fields.map(({ name }) => name);
  const byName = new Map(fields.map((field) => [field.name, field]));
  for (const { field } of [...sync.match, ...sync.map]) {
    if (closed && !byName.has(field)) problems.push(`there is no field ${field}${nearest(field, names)}`);
  }
  for (const { column, field } of sync.map) {
    const described = byName.get(field);
    if (described === undefined) continue;
    const { problem, warning } = mappedFinding(
      columns.find(({ name }) => name === column),
      described,
    );
    if (problem !== undefined) problems.push(problem);
    if (warning !== undefined) warnings.push(warning);
  }
  const required = requiredFindings(sync, fields);
  return { problems: [...problems, ...required.problems], warnings: [...warnings, ...required.warnings] };
}

/** Mapped columns whose field takes none but its options. */
export function optionFields(sync: Mapping, { fields }: ObjectDescription): readonly { readonly column: string; readonly field: Field }[] {
  return sync.map.flatMap(({ column, field: name }) => {
    const field = fields.find((candidate) => candidate.name === name);
    return field?.type === 'enum' && field.options !== undefined && field.options.length > 0 ? [{ column, field }] : [];
  });
}
