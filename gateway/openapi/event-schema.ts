import type { Schema } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Members whose own members are named as their author likes. */
const named = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies']);
/** Members that hold values, no schemas. */
const values = new Set(['enum', 'const', 'default', 'examples', 'example', 'required', 'type']);
/** They say where a schema stands, which is elsewhere in the document. */
const places = new Set(['$id', '$schema', '$anchor', '$dynamicAnchor', '$vocabulary', '$comment', '$ref', '$dynamicRef', '$recursiveRef']);

/** Where references are counted from that no `$id` gives. */
const nowhere = 'millrace:/event';

const resolved = (reference: string, base: string): string | undefined =>
  URL.canParse(reference, base) ? new URL(reference, base).href.replace(/#$/, '') : undefined;

const token = (part: string | number): string =>
  encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1')).replaceAll('%24', '$');

/** Schemas within a member of a schema, each with the end of its pointer. */
function inside(name: string, member: unknown): readonly (readonly [string, unknown])[] {
  if (values.has(name) || places.has(name)) return [];
  const at = `/${token(name)}`;
  if (Array.isArray(member)) return member.map((one: unknown, index) => [`${at}/${index}`, one] as const);
  if (!named.has(name)) return [[at, member]];
  return isObject(member) ? Object.entries(member).map(([inner, one]) => [`${at}/${token(inner)}`, one] as const) : [];
}

const baseOf = ({ $id }: Json, base: string): string => (typeof $id === 'string' ? resolved($id, base) : undefined) ?? base;

const anchorsOf = ({ $anchor, $dynamicAnchor }: Json): readonly string[] =>
  [$anchor, $dynamicAnchor].filter((one) => typeof one === 'string');

/** Every name that a reference may call a schema by, to the pointer of that schema. */
function placesOf(schema: unknown, pointer = '', outer = nowhere, found = new Map<string, string>()): ReadonlyMap<string, string> {
  if (!isObject(schema)) return found;
  const base = baseOf(schema, outer);
  if (pointer === '' || base !== outer) found.set(base, pointer);
  for (const anchor of anchorsOf(schema)) found.set(`${base}#${anchor}`, pointer);
  for (const [name, member] of Object.entries(schema))
    for (const [at, one] of inside(name, member)) placesOf(one, `${pointer}${at}`, base, found);
  return found;
}

const partsOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'));

function isThere(root: unknown, parts: readonly string[]): boolean {
  const end = parts.reduce<unknown>(
    (inner, part) => (typeof inner === 'object' && inner !== null && Object.hasOwn(inner, part) ? Reflect.get(inner, part) : undefined),
    root,
  );
  return isObject(end) || typeof end === 'boolean';
}

/** The pointer that a reference means; undefined where it leads out of the schema, or nowhere. */
function target(reference: string, base: string, root: unknown, known: ReadonlyMap<string, string>): string | undefined {
  const full = resolved(reference, base);
  if (full === undefined) return undefined;
  const direct = known.get(full);
  if (direct !== undefined) return direct;
  const [document = '', fragment = ''] = full.split('#');
  const start = known.get(document);
  if (start === undefined || !fragment.startsWith('/')) return undefined;
  try {
    const parts = partsOf(`${start}${fragment}`);
    return isThere(root, parts) ? parts.map((part) => `/${token(part)}`).join('') : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A JSON Schema of its own as one that stands at `place` of an OpenAPI document: references within it lead to where they led, and `$id`,
 * anchors and `$schema` are gone. A reference that leads out of it is left out: the schema then says less, and nothing that isn't so.
 */
export function embeddedSchema(root: object, place: string): Schema {
  const known = placesOf(root);
  const embed = (schema: unknown, outer: string): unknown => (isObject(schema) ? embedObject(schema, outer) : schema);
  const embedObject = (schema: Json, outer: string): Schema => {
    const base = baseOf(schema, outer);
    const found = typeof schema['$ref'] === 'string' ? target(schema['$ref'], base, root, known) : undefined;
    const members = Object.entries(schema).filter(([name]) => !places.has(name));
    return {
      ...(found === undefined ? {} : { $ref: `${place}${found}` }),
      ...Object.fromEntries(members.map(([name, member]) => [name, embedMember(name, member, base)])),
    };
  };
  const embedMember = (name: string, member: unknown, base: string): unknown => {
    if (values.has(name)) return member;
    if (Array.isArray(member)) return member.map((one: unknown) => embed(one, base));
    if (!named.has(name) || !isObject(member)) return embed(member, base);
    return Object.fromEntries(Object.entries(member).map(([inner, one]) => [inner, embed(one, base)]));
  };
  return embedObject({ ...root }, nowhere);
}
