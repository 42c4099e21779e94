import type { Command } from 'commander';
import { pipelineOf, withBooks } from '../command-line/books.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { assignment, projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { streamsTable } from '../display/books-report.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly set?: { readonly left: string; readonly right: string };
  readonly rename?: { readonly left: string; readonly right: string };
}

async function state(name: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const pipeline = pipelineOf(project, name);
  using stopping = interrupt();
  const { set, rename } = options;
  const of = (stream: string) => ({ project: project.name, pipeline: name, stream });
  const streams = await withBooks(project, pipeline, stopping.signal, async (books, attempt) => {
    if (rename !== undefined) await books.renameStream(of(rename.left), rename.right, attempt);
    if (set !== undefined) await books.setCursor(of(set.left), set.right === '' ? null : set.right, attempt);
    return await books.listStreams({ project: project.name, pipeline: name }, attempt);
  });
  output.data(streams);
  for (const line of streams.length === 0 ? [] : streamsTable(streams)) output.line(line);
  if (streams.length === 0) output.line(`${name} has not loaded yet: millrace run ${name}`);
}

/** `millrace state` */
export const command = (): Command =>
  projectCommand('state', 'Shows where the streams of a pipeline stand, and sets or renames it.', [
    'millrace state shop',
    'millrace state shop --set public.orders=2026-11-01',
    'millrace state shop --set public.orders=              # no cursor: the next run reads from the beginning',
    'millrace state shop --rename public.orders=sales.orders',
  ])
    .argument('<name>', 'a pipeline')
    .option('--set <stream=cursor>', 'where the next read of a stream begins', assignment)
    .option('--rename <old=new>', 'the stream has another name now; its state, table and books stay', assignment)
    .option('--json', 'the result as JSON')
    .action(state);
