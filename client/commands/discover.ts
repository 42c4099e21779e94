import type { Command } from 'commander';
import { MillraceError } from '../../schema/errors.ts';
import type { Stream } from '../../schema/stream.ts';
import { openInProcess } from '../command-line/in-process.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { openProject, type OpenProject } from '../command-line/project.ts';
import { findServers } from '../command-line/servers.ts';
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

function show(streams: readonly Stream[], output: Output): void {
  for (const { name, columns, key, estimatedRows, notes } of streams) {
    const size = estimatedRows === undefined || estimatedRows < 0 ? '' : `, about ${count(estimatedRows)} rows`;
    output.line(`${name}${key.length === 0 ? ', no primary key' : `, key ${key.join(', ')}`}${size}`);
    const width = Math.max(0, ...columns.map((column) => column.name.length));
    for (const column of columns) output.line(`    ${column.name.padEnd(width)}  ${column.type}`);
    for (const note of notes) output.line(`    note: ${note}`);
  }
}

async function discover(connectionName: string, patterns: readonly string[], options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const connection = connectionOf(project, connectionName);
  await findServers(project);
  using stopping = interrupt();
  await using inProcess = await openInProcess('discover', stopping.signal);
  await using source = await inProcess.dependencies.openSource(connection);
  const streams = await source.discover(patterns.length === 0 ? undefined : patterns, inProcess.attempt);
  output.data(streams);
  show(streams, output);
  if (streams.length === 0) output.line(`${connectionName} has no streams that match.`);
}

/** `millrace discover` */
export const command = (): Command =>
  projectCommand('discover', 'Lists the streams of a connection with columns, types and keys. Secrets are looked up on this machine.', [
    'millrace discover shop',
    'millrace discover shop "sales.*" --json',
  ])
    .argument('<connection>', 'a connection of the project file')
    .argument('[streams...]', 'exact names, or patterns with *; without one, all')
    .option('--json', 'the result as JSON')
    .action(discover);
