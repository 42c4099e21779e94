import { z } from 'zod';
import { projectFileSchema } from '../client/project/schema.ts';
import { filesReadOptions, filesSettings } from '../connectors/files/settings.ts';
import { postgresSettings } from '../connectors/postgres/settings.ts';
import { webhookSettings } from '../connectors/webhook/settings.ts';
import { alertSettings } from '../schema/project-alert.ts';
import { defaultsSettings, modelSettings, parallelSettings, pipelineSettings, retentionSettings } from '../schema/project.ts';
import { guards, streamSettings } from '../schema/project-stream.ts';
import { mappedField, syncGuards, syncRetention, syncSettings, syncState } from '../schema/project-sync.ts';
import { continuousSchedule, cronSchedule, intervalSchedule } from '../schema/schedule.ts';
import { stepSchemas } from '../schema/step.ts';
import { asJsonSchema, table, typeText, type JsonSchema } from './json-schema.ts';

const sections: readonly (readonly [title: string, schema: z.ZodType, text?: string])[] = [
  ['Project', projectFileSchema, 'The top of the file.'],
  ['Connections: `postgres`', postgresSettings],
  ['Connections: `files`', filesSettings],
  ['Connections: `webhook`', webhookSettings],
  ['Defaults', defaultsSettings],
  ['Pipelines', pipelineSettings],
  ['Streams', streamSettings],
  ['Streams: `guards`', guards],
  ['Streams: `read` of files', filesReadOptions],
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
];

const introduction = `# The project file

<!-- Generated from the schemas by "npm run docs"; changes here are overwritten. -->

\`millrace.yaml\`, or \`millrace.config.ts\` with \`export default defineProject({ … })\` and the same names. Unknown names are errors.
Editors complete and check it by [project.schema.json](project.schema.json): begin the file with
\`# yaml-language-server: $schema=<path>/project.schema.json\`.

- **Secrets** stand in connections only, as references: \`\${env:NAME}\`, \`\${env:NAME:-default}\`, \`\${file:path}\`. They are looked up where the worker runs;
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
  return `## ${title}\n\n${text}\n\n${table(schema)}\n`;
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
