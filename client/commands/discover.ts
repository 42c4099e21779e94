import type { Command } from 'commander';
import type { Application } from '../../connectors/application.ts';
import { connectionKinds } from '../../connectors/settings.ts';
import type { ConnectionDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Stream } from '../../schema/stream.ts';
import { withApplication } from '../command-line/application.ts';
import { openInProcess, type InProcess } from '../command-line/in-process.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject, type OpenProject } from '../command-line/project.ts';
import { findServers } from '../command-line/servers.ts';
import { fieldsTable } from '../display/fields-report.ts';
import { count } from '../display/text.ts';
import { suggestion } from '../project/finding.ts';

interface Options extends ProjectOptions, JsonOption {}

function connectionOf({ definitions, name: project }: OpenProject, name: string) {
  const connection = definitions.connections.get(name);
  if (connection !== undefined) return connection;
  throw new MillraceError(
    'config',
    `The project ${project} has no connection "${name}".${suggestion(name, [...definitions.connections.keys()])}`,
  );
}

function kindOf({ type }: ConnectionDefinition): { readonly source: boolean; readonly application: boolean } {
  const kinds: Readonly<Record<string, { readonly source: boolean; readonly application: boolean }>> = connectionKinds;
  return kinds[type] ?? { source: false, application: false };
}

function streamLines({ name, columns, key, estimatedRows, notes }: Stream): readonly string[] {
  const size = estimatedRows === undefined || estimatedRows < 0 ? '' : `, about ${count(estimatedRows)} rows`;
  const width = Math.max(0, ...columns.map((column) => column.name.length));
  return [
    `${name}${key.length === 0 ? ', no primary key' : `, key ${key.join(', ')}`}${size}`,
    ...columns.map((column) => `    ${column.name.padEnd(width)}  ${column.type}`),
    ...notes.map((note) => `    note: ${note}`),
  ];
}

/** Streams, objects or fields, as they are shown under `--json`. */
interface Found {
  readonly data: unknown;
  readonly lines: readonly string[];
}

async function streamsOf(
  connection: ConnectionDefinition,
  patterns: readonly string[],
  { dependencies, attempt }: InProcess,
): Promise<Found> {
  await using source = await dependencies.openSource(connection);
  const streams = await source.discover(patterns.length === 0 ? undefined : patterns, attempt);
  const none = `${connection.name} has no streams that match.`;
  return { data: streams, lines: streams.length === 0 ? [none] : streams.flatMap(streamLines) };
}

async function objectsOf(project: OpenProject, connection: ConnectionDefinition, inProcess: InProcess): Promise<Found> {
  const objects = await withApplication(project, { connection }, inProcess, (application) => application.objects(inProcess.attempt));
  const none = `${connection.name} does not list what it has; its objects are named by the sync.`;
  const hint = `millrace discover ${connection.name}.<object> shows its fields.`;
  return { data: objects, lines: objects.length === 0 ? [none] : [...objects, hint] };
}

async function fieldsOf(project: OpenProject, connection: ConnectionDefinition, object: string, inProcess: InProcess): Promise<Found> {
  const look = (application: Application) => application.describe(inProcess.attempt);
  const { fields, closed } = await withApplication(project, { connection, object }, inProcess, look);
  const lines = [...fieldsTable(fields), ...(closed ? [] : ['Other fields can be written too.'])];
  return { data: { fields, closed }, lines };
}

async function find(project: OpenProject, place: string, patterns: readonly string[], inProcess: InProcess): Promise<Found> {
  const [name = ''] = place.split('.', 1);
  const connection = connectionOf(project, name);
  if (place !== name) {
    if (patterns.length === 0) return await fieldsOf(project, connection, place.slice(name.length + 1), inProcess);
    throw new MillraceError('config', `${place} is an object of ${name}: name it alone, or the streams of ${name}.`);
  }
  const { source, application } = kindOf(connection);
  if (source || !application) return await streamsOf(connection, patterns, inProcess);
  if (patterns.length === 0) return await objectsOf(project, connection, inProcess);
  throw new MillraceError(
    'config',
    `${name} is an application: millrace discover ${name}.${patterns[0] ?? ''} shows the fields of one object.`,
  );
}

async function discover(place: string, patterns: readonly string[], options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  connectionOf(project, place.split('.', 1)[0] ?? '');
  await findServers(project);
  using stopping = interrupt();
  await using inProcess = await openInProcess('discover', stopping.signal);
  const { data, lines } = await find(project, place, patterns, inProcess);
  output.data(data);
  for (const line of lines) output.line(line);
}

/** `millrace discover` */
export const command = (): Command =>
  projectCommand(
    'discover',
    'Lists the streams of a connection with columns, types and keys; of an application its objects, or the fields of one. Secrets are looked up on this machine.',
    ['millrace discover shop', 'millrace discover crm', 'millrace discover crm.contacts', 'millrace discover shop "sales.*" --json'],
  )
    .argument('<connection>', 'a connection of the project file, or an object of one that is an application: crm.contacts')
    .argument('[streams...]', 'exact names, or patterns with *; without one, all')
    .option('--json', 'the result as JSON')
    .action(discover);
