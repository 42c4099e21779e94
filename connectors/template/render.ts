import { createHash } from 'node:crypto';
import { MillraceError } from '../../schema/errors.ts';
import { ExactNumber, jsonText, type Json } from '../../schema/value.ts';
import { parseText, type FilterCall, type FilterName, type Placeholder, type Segment } from './placeholder.ts';

/** What placeholders can name: a row's or a batch's values, under their roots. */
export type Scope = Readonly<Record<string, Json | undefined>>;

/** JSON whose texts may hold placeholders, ready to be filled. A value that is missing is undefined. */
export type Rendered = (scope: Scope) => Json | undefined;

/** The member whose value's own members, or those of the objects in its list, take its place. */
const spread = '...';

const isObject = (value: unknown): value is Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);

const asText = (value: Json): string => (typeof value === 'string' ? value : jsonText(value));
const digest = (name: 'md5' | 'sha256') => (value: Json) => createHash(name).update(asText(value)).digest('hex');

/** Members whose names have dots, as objects in objects: `{"a.b": 1}` becomes `{"a": {"b": 1}}`. */
function nest(value: Json): Json {
  if (!isObject(value)) return value;
  const groups = new Map<string, Map<string, Json> | Json>();
  for (const [name, member] of Object.entries(value)) {
    const dot = name.indexOf('.');
    const head = dot <= 0 ? name : name.slice(0, dot);
    const group = groups.get(head);
    if (dot <= 0) groups.set(head, member);
    else if (group instanceof Map) group.set(name.slice(dot + 1), member);
    else groups.set(head, new Map([[name.slice(dot + 1), member]]));
  }
  return Object.fromEntries([...groups].map(([name, group]) => [name, group instanceof Map ? nest(Object.fromEntries(group)) : group]));
}

const filters: Readonly<Record<Exclude<FilterName, 'default'>, (value: Json) => Json>> = {
  lower: (value) => asText(value).toLowerCase(),
  md5: digest('md5'),
  sha256: digest('sha256'),
  json: jsonText,
  url: (value) => encodeURIComponent(asText(value)),
  nest,
};

function filtered(value: Json | undefined, { name, argument }: FilterCall): Json | undefined {
  if (name === 'default') return value ?? argument;
  return value === undefined || value === null ? value : filters[name](value);
}

/** Only own members are seen, never what objects inherit. */
function valueOf({ root, names, filters: calls }: Placeholder, scope: Scope): Json | undefined {
  let value: Json | undefined = Object.hasOwn(scope, root) ? scope[root] : undefined;
  for (const name of names) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return calls.reduce<Json | undefined>(filtered, value);
}

/** Fills a text; one that is a single placeholder keeps its value's type. */
export function compileText(text: string): Rendered {
  const segments = parseText(text);
  const [only] = segments;
  if (segments.length === 1 && only !== undefined && typeof only !== 'string') return (scope) => valueOf(only, scope);
  return (scope) => segments.map((segment) => partOf(segment, scope)).join('');
}

function partOf(segment: Segment, scope: Scope): string {
  if (typeof segment === 'string') return segment;
  const value = valueOf(segment, scope);
  return value === undefined || value === null ? '' : asText(value);
}

/** Fills JSON, member by member. Members without a value are left out; `...` takes in the members of its value, or of the values in its list. */
export function compileJson(template: unknown): Rendered {
  if (typeof template === 'string') return compileText(template);
  if (Array.isArray(template)) {
    const items = template.map(compileJson);
    return (scope) => items.map((item) => item(scope)).filter((item) => item !== undefined);
  }
  if (typeof template === 'object' && template !== null) return compileObject(template);
  const value = template as Json;
  return () => value;
}

function compileObject(template: object): Rendered {
  const members = Object.entries(template).map(([name, value]) => [name, compileJson(value)] as const);
  return (scope) =>
    Object.fromEntries(
      members.flatMap(([name, render]) => {
        const value = render(scope);
        if (value === undefined) return [];
        return name === spread ? membersOf(value) : [[name, value] as const];
      }),
    );
}

const membersOf = (value: Json): readonly (readonly [string, Json])[] =>
  Array.isArray(value) ? value.flatMap(membersOf) : isObject(value) ? Object.entries(value) : [];

/**
 * Fills a path: every value is encoded, so that it stays one part. Throws `rejected` where a value is missing, or is `.` or `..`, which
 * would lead to another address.
 */
export function compilePath(text: string): (scope: Scope) => string {
  const segments = parseText(text);
  return (scope) => {
    const path = segments.map((segment) => (typeof segment === 'string' ? segment : encodedPart(segment, scope))).join('');
    const [below = ''] = path.split('?');
    if (below.split('/').some((part) => /^(\.|%2e){1,2}$/i.test(part))) {
      throw new MillraceError('rejected', `a value makes the path ${text} lead to another address`);
    }
    return path;
  };
}

function encodedPart(placeholder: Placeholder, scope: Scope): string {
  const value = valueOf(placeholder, scope);
  if (value === undefined || value === null || value === '') {
    throw new MillraceError('rejected', `${[placeholder.root, ...placeholder.names].join('.')} has no value, and the path needs one`);
  }
  const isEncoded = placeholder.filters.at(-1)?.name === 'url';
  return isEncoded ? asText(value) : encodeURIComponent(asText(value));
}

/** Fills texts that go into headers or a query: scalars as text, without what would end a header. */
export function compileTexts(templates: Readonly<Record<string, string>> = {}): (scope: Scope) => Readonly<Record<string, string>> {
  const compiled = Object.entries(templates).map(([name, text]) => [name, compileText(text)] as const);
  return (scope) =>
    Object.fromEntries(
      compiled.flatMap(([name, render]) => {
        const value = render(scope);
        if (value === undefined || value === null) return [];
        const text = asText(value);
        if (/\p{Cc}/u.test(text)) throw new MillraceError('rejected', `the value for ${name} holds a control character`);
        return [[name, text]];
      }),
    );
}
