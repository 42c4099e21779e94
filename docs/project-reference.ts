import { z } from 'zod';
import { projectFileSchema } from '../client/project/schema.ts';
import { connectionKinds, connectionSettings } from '../connectors/settings.ts';
import { apiSettings, relationSettings, roleSettings } from '../schema/project-api.ts';
import { alertSettings } from '../schema/project-alert.ts';
import { defaultsSettings, modelSettings, parallelSettings, pipelineSettings, retentionSettings } from '../schema/project.ts';
import { gatewaySettings, jwtSettings, outgoingWebhookSettings, triggerSettings } from '../schema/project-gateway.ts';
import { guards, streamSettings } from '../schema/project-stream.ts';
import { mappedField, syncGuards, syncRetention, syncSettings, syncState } from '../schema/project-sync.ts';
import { continuousSchedule, cronSchedule, intervalSchedule } from '../schema/schedule.ts';
import { signatureSettings } from '../schema/signature.ts';
import { stepSchemas } from '../schema/step.ts';
import { asJsonSchema, table, typeText, type JsonSchema } from './json-schema.ts';

type Section = readonly [title: string, schema: z.ZodType, text?: string];

/** Connections of each kind, and what the kind adds to streams and syncs. */
const connections: readonly Section[] = connectionSettings.options.map((settings): Section => {
  return [`Connections: \`${typeOf(settings)}\``, settings];
});

const kinds = Object.entries(connectionKinds);
const reads = kinds.map(([type, { readOptions }]): Section => [`Streams: \`read\` of ${type}`, readOptions]);
const writes = kinds.map(([type, { writeOptions }]): Section => [`Syncs: \`write\` of ${type}`, writeOptions]);

/** Kinds without options of their own need no section. */
const isFilled = ([, schema]: Section): boolean => Object.keys(asJsonSchema(schema).properties ?? {}).length > 0;

const sections: readonly Section[] = [
  ['Project', projectFileSchema, 'The top of the file.'],
  ...connections,
  ['Defaults', defaultsSettings],
  ['Pipelines', pipelineSettings],
  ['Streams', streamSettings],
  ['Streams: `guards`', guards],
  ...reads.filter(isFilled),
  ['Schedules: `cron`', cronSchedule],
  ['Schedules: `every`', intervalSchedule],
  ['Alerts', alertSettings],
  ['Retention', retentionSettings],
  ['Parallel', parallelSettings],
  ['Models', modelSettings],
  ['Syncs', syncSettings],
  ['Syncs: a field of `map`', mappedField],
  ['Syncs: `schedule: { continuous: true }`', continuousSchedule],
  ['Syncs: `guards`', syncGuards],
  ['Syncs: `state`', syncState],
  ['Syncs: `retention`', syncRetention],
  ...writes.filter(isFilled),
  ['APIs', apiSettings],
  ['APIs: `relations`', relationSettings],
  ['APIs: `roles`', roleSettings],
  ['APIs: `cache`', apiSettings.shape.cache.unwrap()],
  ['APIs: `limit`', apiSettings.shape.limit.unwrap()],
  ['Gateway', gatewaySettings],
  ['Gateway: `tls`', gatewaySettings.shape.tls.unwrap()],
  ['Gateway: `jwt`', jwtSettings],
  ['Gateway: `redis`', gatewaySettings.shape.redis.unwrap()],
  ['Gateway: `rate`', gatewaySettings.shape.rate.unwrap()],
  ['Gateway: `graphql`', gatewaySettings.shape.graphql.unwrap()],
  ['Gateway: `webhooks`', outgoingWebhookSettings],
  ['Gateway: `triggers`', triggerSettings],
  ['Signatures: `verify`', signatureSettings],
];

const introduction = `# The project file

<!-- Generated from the schemas by "npm run docs"; changes here are overwritten. -->

\`millrace.yaml\`, or \`millrace.config.ts\` with \`export default defineProject({ … })\` and the same names. Unknown names are errors.
Editors complete and check it by [project.schema.json](project.schema.json): begin the file with
\`# yaml-language-server: $schema=<path>/project.schema.json\`.

- **Secrets** stand in connections, and in \`mask_key\`, \`redis\` and \`verify\` of the gateway, only as references: \`\${env:NAME}\`, \`\${env:NAME:-default}\`, \`\${file:path}\`. They are looked up where the worker or the gateway runs;
  \`.env\` beside the file is read, and never wins over a variable that is set. Within a URL a value is escaped as needed.
- **Durations** are \`15 minutes\`, \`90s\`, \`1h 30m\`; **sizes** \`64 MB\`; **shares** \`5%\`.
- **Paths** are relative to the file.
- **Names** of pipelines, models and syncs are unique among all of them.
- **YAML** is version 1.2: \`yes\`, \`no\`, \`on\`, \`off\` and dates are text; \`true\`, \`false\`, \`null\` and numbers aren't until they are quoted. Within \`{ }\` and \`[ ]\`
  quote what has a comma or brackets: \`cast: { price: "decimal(14,2)" }\`.
`;

/** The reference page of the project file. */
export function projectReference(): string {
  const parts = sections.map(([title, schema, text]) => section(title, asJsonSchema(schema), text));
  return [introduction, ...parts, steps()].join('\n');
}

/** The JSON Schema that editors take. */
export function projectJsonSchema(): string {
  return `${JSON.stringify({ title: 'Millrace project file', ...z.toJSONSchema(projectFileSchema, { io: 'input' }) }, undefined, 2)}\n`;
}

function section(title: string, schema: JsonSchema, text = schema.description ?? ''): string {
  return `## ${title}\n\n${text}\n\n${table(schema)}\n${title.startsWith('Connections') ? parts(schema) : ''}`;
}

/** Objects within a connection's settings: a table for each, and for each of their alternatives. */
function parts({ properties = {} }: JsonSchema): string {
  return Object.entries(properties)
    .flatMap(([name, property]) => alternativesOf(property).map((one) => ({ name, one })))
    .map(({ name, one }) => {
      const type = one.properties?.['type']?.const;
      const title = typeof type === 'string' ? `\`${name}\` of type \`${type}\`` : `\`${name}\``;
      return `\n${title}: ${one.properties?.['type']?.description ?? one.description ?? ''}\n\n${table(one)}\n${parts(one)}`;
    })
    .join('');
}

const alternativesOf = (schema: JsonSchema): readonly JsonSchema[] =>
  [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter((one) => one.properties !== undefined);

/** The `type` of a kind of connection. */
function typeOf(settings: z.ZodType): string {
  const type = asJsonSchema(settings).properties?.['type']?.const;
  return typeof type === 'string' ? type : '';
}

function steps(): string {
  const parts = Object.entries(stepSchemas).map(([name, schema]) => {
    const step = asJsonSchema(schema);
    const value = step.properties?.[name] ?? {};
    const objects = tables(value);
    return `### \`${name}\`\n\n${step.description ?? ''}\n\n\`${name}\`: ${typeText(value)}. ${value.description ?? ''}\n${objects}`;
  });
  return `## Transform steps\n\nEach entry of \`transform\` is one step; they run in order.\n\n${parts.join('\n')}`;
}

/** Tables of the objects that a step's value may be, or may hold by column. */
function tables(schema: JsonSchema): string {
  const inner = [schema, ...(schema.anyOf ?? []), ...valuesOf(schema), ...(schema.anyOf ?? []).flatMap(valuesOf)];
  return inner
    .filter((one) => one.properties !== undefined)
    .map((one) => `\n${table(one)}\n`)
    .join('');
}

function valuesOf({ additionalProperties: values }: JsonSchema): readonly JsonSchema[] {
  return typeof values === 'object' ? [values, ...(values.anyOf ?? [])] : [];
}
