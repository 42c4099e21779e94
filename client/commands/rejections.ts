import type { Command } from 'commander';
import { MillraceError } from '../../schema/errors.ts';
import { pipelineOf, withBooks } from '../command-line/books.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { positive, projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { named, openProject, type OpenProject } from '../command-line/project.ts';
import { syncOf, withSyncBooks } from '../command-line/sync-books.ts';
import { rejectionLines } from '../display/books-report.ts';
import { openRowLines } from '../display/sync-books-report.ts';
import { counted } from '../display/text.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly stream?: string;
  readonly limit: number;
  readonly all?: true;
}

/** The rows of a sync that wait: rejected, unknown, invalid, or sent by a run that died. */
async function openRows(project: OpenProject, name: string, { stream, all, limit }: Options, output: Output): Promise<void> {
  const refused = stream !== undefined ? '--stream' : all === true ? '--all' : undefined;
  if (refused !== undefined) throw new MillraceError('config', `${name} is a sync: ${refused} is for pipelines.`);
  const sync = syncOf(project, name);
  using stopping = interrupt();
  const query = { project: project.name, sync: name, limit: limit + 1 };
  const found = await withSyncBooks(project, sync, stopping.signal, (books, attempt) => books.listOpen(query, attempt));
  const shown = found.slice(0, limit);
  output.data(shown);
  for (const line of shown.flatMap(openRowLines)) output.line(line);
  if (found.length > limit) output.line(`… more than ${counted(limit, 'row')}: --limit shows more`);
  if (found.length === 0) output.line(`${name} has no open rejections.`);
}

async function rejections(name: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  if (named(project, name).runnable.kind === 'sync') return await openRows(project, name, options, output);
  const pipeline = pipelineOf(project, name);
  using stopping = interrupt();
  const { limit, stream, all } = options;
  const query = {
    project: project.name,
    pipeline: name,
    limit: limit + 1,
    ...(stream === undefined ? {} : { stream }),
    ...(all === true ? { all } : {}),
  };
  const found = await withBooks(project, pipeline, stopping.signal, (books, attempt) => books.listRejections(query, attempt));
  const shown = found.slice(0, limit);
  output.data(shown);
  for (const line of shown.flatMap(rejectionLines)) output.line(line);
  if (found.length > limit) output.line(`… more than ${counted(limit, 'rejection')}: --limit shows more`);
  if (found.length === 0) output.line(`${name} has no ${all === true ? '' : 'open '}rejections.`);
}

/** `millrace rejections` */
export const command = (): Command =>
  projectCommand(
    'rejections',
    'Shows the rows of a pipeline that were refused, as they were read, with place, rule and reason; values are shown. Of a sync: the rows that its application did not take, by key, with its words.',
    [
      'millrace rejections health-to-hubspot',
      'millrace rejections films',
      'millrace rejections films --stream "movies-*.csv" --limit 500 --json',
    ],
  )
    .argument('<name>', 'a pipeline or sync')
    .option('--stream <name>', 'only this stream')
    .option('--limit <number>', 'at most so many', positive, 100)
    .option('--all', 'those too that a later load has closed')
    .option('--json', 'the result as JSON')
    .action(rejections);
