import type { Command } from 'commander';
import { pipelineOf, withBooks } from '../command-line/books.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { positive, projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { rejectionLines } from '../display/books-report.ts';
import { counted } from '../display/text.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly stream?: string;
  readonly limit: number;
  readonly all?: true;
}

async function rejections(name: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
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
    'Shows the rows of a pipeline that were refused, as they were read, with place, rule and reason. Values are shown.',
    ['millrace rejections films', 'millrace rejections films --stream "movies-*.csv" --limit 500 --json'],
  )
    .argument('<name>', 'a pipeline')
    .option('--stream <name>', 'only this stream')
    .option('--limit <number>', 'at most so many', positive, 100)
    .option('--all', 'those too that a later load has closed')
    .option('--json', 'the result as JSON')
    .action(rejections);
