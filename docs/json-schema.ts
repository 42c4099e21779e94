import { z } from 'zod';

/** What of JSON Schema the reference pages read. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
}

const jsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    type: z.union([z.string(), z.array(z.string())]).exactOptional(),
    description: z.string().exactOptional(),
    default: z.unknown().exactOptional(),
    const: z.unknown().exactOptional(),
    enum: z.array(z.unknown()).exactOptional(),
    properties: z.record(z.string(), jsonSchema).exactOptional(),
    required: z.array(z.string()).exactOptional(),
    items: jsonSchema.exactOptional(),
    anyOf: z.array(jsonSchema).exactOptional(),
    oneOf: z.array(jsonSchema).exactOptional(),
    additionalProperties: z.union([z.boolean(), jsonSchema]).exactOptional(),
  }),
);

/** A schema as people write what it takes. */
export function asJsonSchema(schema: z.ZodType): JsonSchema {
  return jsonSchema.parse(z.toJSONSchema(schema, { io: 'input' }));
}

/** A line for each property: name, type, default, meaning. */
export function table({ properties = {}, required = [] }: JsonSchema): string {
  const rows = Object.entries(properties).map(([name, property]) => {
    const fallback = required.includes(name) ? '**required**' : property.default === undefined ? '' : code(property.default);
    return `| \`${name}\` | ${cell(typeText(property))} | ${cell(fallback)} | ${cell(property.description ?? '')} |`;
  });
  return ['| name | type | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

/** A type in words: `text, or list of text`. */
export function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return [...new Set(alternatives.map(typeText))].join(', or ');
  if (schema.type === 'array') return `list of ${typeText(schema.items ?? {})}`;
  if (schema.type === 'object') return objectText(schema);
  return (
    typesOf(schema)
      .map((type) => words[type] ?? type)
      .join(', or ') || 'any value'
  );
}

function typesOf({ type = [] }: JsonSchema): readonly string[] {
  return typeof type === 'string' ? [type] : type;
}

const words: Readonly<Record<string, string>> = { string: 'text', integer: 'whole number', number: 'number', boolean: '`true`, `false`' };

function objectText({ properties, additionalProperties: values }: JsonSchema): string {
  if (properties !== undefined) {
    const names = Object.keys(properties);
    return `{ ${names.slice(0, 6).join(', ')}${names.length > 6 ? ', …' : ''} }`;
  }
  return `mapping to ${typeof values === 'object' ? typeText(values) : 'any value'}`;
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
