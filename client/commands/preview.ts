import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { StreamPart } from '../../schema/run.ts';
import type { Preview } from '../../worker/preview.ts';
import { openInProcess, type InProcess } from '../command-line/in-process.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { positive, projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject } from '../command-line/project.ts';
import { findServers } from '../command-line/servers.ts';
import { previewLines } from '../display/preview-report.ts';
import { suggestion } from '../project/finding.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly rows: number;
  readonly stream?: string;
}

async function partsOf(pipeline: PipelineDefinition, stream: string | undefined, { dependencies, attempt }: InProcess) {
  const { expandPipeline } = await import('../../worker/preview.ts');
  const parts = await expandPipeline(dependencies, pipeline, attempt);
  const wanted = stream === undefined ? parts : parts.filter((part) => part.stream === stream || part.definition.stream === stream);
  if (wanted.length > 0) return wanted;
  const names = parts.map((part) => part.stream);
  throw new MillraceError('config', `${pipeline.name} has no stream "${stream ?? ''}".${suggestion(stream ?? '', names)}`);
}

async function previewPart(pipeline: PipelineDefinition, part: StreamPart, rows: number, inProcess: InProcess): Promise<Preview> {
  const { preview } = await import('../../worker/preview.ts');
  const folder = join(inProcess.folder, part.target.table);
  await mkdir(folder, { recursive: true });
  return await preview(inProcess.dependencies, { pipeline, part, rows, folder }, inProcess.attempt);
}

async function previewPipeline(name: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const { runnable } = named(project, name);
  if (runnable.kind === 'model') throw new MillraceError('config', `${name} is a model: millrace preview shows pipelines.`);
  await findServers(project);
  using stopping = interrupt();
  await using inProcess = await openInProcess('preview', stopping.signal);
  const pipeline = runnable.definition;
  const previews: Preview[] = [];
  for (const part of await partsOf(pipeline, options.stream, inProcess)) {
    const preview = await previewPart(pipeline, part, options.rows, inProcess);
    previews.push(preview);
    for (const line of previewLines(preview)) output.line(line);
  }
  output.data(previews);
}

/** `millrace preview` */
export const command = (): Command =>
  projectCommand(
    'preview',
    'Shows rows as the steps leave them, and what would be rejected, over a sample of each stream. Writes nothing; secrets are looked up on this machine.',
    ['millrace preview films', 'millrace preview films --stream "movies-*.csv" --rows 50'],
  )
    .argument('<name>', 'a pipeline')
    .option('--rows <number>', 'rows to show of each stream', positive, 10)
    .option('--stream <name>', 'only this stream')
    .option('--json', 'the result as JSON')
    .action(previewPipeline);
