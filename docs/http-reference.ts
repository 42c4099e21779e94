import { objectDeclaration } from '../connectors/template/declaration.ts';
import { asJsonSchema, table, type JsonSchema } from './json-schema.ts';

/** A project whose syncs write a declared API; a test reads it as a project file. */
export const exampleProject = `project: acme

connections:
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
  loyalty:
    type: http
    url: https://api.loyalty.example/v2
    auth: { type: api-key, header: X-Api-Key, value: "\${env:LOYALTY_KEY}" }
    rate: 100 per 10s
    check: /me
    objects:
      customers:
        match: [email]
        operations:
          # Up to 50 customers in one request; the answer names those that were refused.
          upsert:
            method: POST
            path: /customers/batch
            batch: 50
            row: { "...": "{{ fields }}", email: "{{ match.email }}" }
            body: { customers: "{{ rows }}" }
            settles: upsert
            answers:
              errors: { path: "$.errors[*]", match: { key: $.email, field: "{{ match.email }}" }, reason: $.message, code: $.code }
          # One request for each; a customer that is gone is as it should be.
          delete:
            method: DELETE
            path: /customers/{{ match.email }}
            settles: upsert
            answers: { acknowledged: [200, 204, 404] }
      # An order must not be made twice: its answer may be missing, its key tells.
      orders:
        match: [number]
        operations:
          create:
            method: POST
            path: /orders
            body: { number: "{{ match.number }}", "...": "{{ fields | nest }}" }
            idempotency: { header: Idempotency-Key }
            settles: idempotency-key
            answers: { remote_id: $.id, reason: $.error.message }
      # A part of the name is part of the path: to: loyalty.tiers/gold
      "tiers/{tier}":
        match: [email]
        operations:
          add: { method: PUT, path: "/tiers/{{ object.tier }}/members/{{ match.email }}", settles: upsert }
          remove: { method: DELETE, path: "/tiers/{{ object.tier }}/members/{{ match.email }}", settles: upsert }

models:
  customers: { sql: "SELECT email, points FROM marts.customers", key: email, warehouse: warehouse }

syncs:
  points: { from: customers, to: loyalty.customers, mode: mirror, map: [points] }
`;

const introduction = `# Any API over HTTP

<!-- Generated from the schemas by "npm run docs"; changes here are overwritten. -->

A connection of type \`http\` writes to an API that is declared in the project file: for each object, how an operation is sent and what answers mean. The
platform does the rest: batches, limits, retries, halving, outcomes, the ledger. \`template: mailchimp\` and \`template: intercom\` are such declarations, shipped.

\`\`\`yaml
${exampleProject}\`\`\`

**Placeholders** stand in paths, parameters, headers, bodies and forms: \`{{ match.email }}\`, \`{{ fields.points }}\`, \`{{ fields }}\` and \`{{ match }}\` as a whole,
\`{{ match_name }}\` and \`{{ match_value }}\` (the first field that finds the object), \`{{ key }}\` (the model's), \`{{ remote_id }}\` (what the application
called the object), \`{{ idempotency_key }}\`, \`{{ object.tier }}\` (a part of the object's name), \`{{ write.status }}\` (an option of the sync), and in a batch
\`{{ rows }}\`. Filters follow a bar: \`lower\`, \`md5\`, \`sha256\`, \`json\`, \`url\`, \`nest\` (\`a.b\` becomes \`b\` within \`a\`), \`default("…")\`. A text that is
only a placeholder becomes its value, numbers as numbers; the member \`...\` takes in all members of its value. Values in paths are encoded.

**JSONPath** (RFC 9535) finds things in answers. An answer of 429, or with \`Retry-After\`, waits; another that isn't acknowledged refuses the request, and
a batch is halved until the row that breaks it stands alone.
`;

interface Part {
  readonly path: string;
  readonly schema: JsonSchema;
}

/** The objects that a schema is, or may be, or holds by name or in a list. */
function objectsIn(schema: JsonSchema): readonly JsonSchema[] {
  const { additionalProperties: values, items } = schema;
  const inner = [
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    ...(typeof values === 'object' ? [values] : []),
    ...(items === undefined ? [] : [items]),
  ];
  return [...(schema.properties === undefined ? [] : [schema]), ...inner.flatMap(objectsIn)];
}

/** Sections of what an object holds, from the outside in; the same table stands once. */
function partsOf(path: string, schema: JsonSchema, seen: Set<string>): readonly Part[] {
  return objectsIn(schema).flatMap((one) => {
    const text = table(one);
    if (seen.has(text)) return [];
    seen.add(text);
    const inner = Object.entries(one.properties ?? {}).flatMap(([name, property]) => partsOf(`${path}.${name}`, property, seen));
    return [{ path, schema: one }, ...inner];
  });
}

/** The reference page of declared APIs. */
export function httpReference(): string {
  const sections = partsOf('objects.<name>', asJsonSchema(objectDeclaration), new Set()).map(({ path, schema }) =>
    [`## \`${path}\`\n`, ...(schema.description === undefined ? [] : [`${schema.description}\n`]), `${table(schema)}\n`].join('\n'),
  );
  return [introduction, ...sections].join('\n');
}
