import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { StreamPart } from '../../schema/run.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { Preview } from '../../worker/preview.ts';
import { openInProcess, type InProcess } from '../command-line/in-process.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { positive, projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { named, openProject, type OpenProject } from '../command-line/project.ts';
import { findServers } from '../command-line/servers.ts';
import { previewLines } from '../display/preview-report.ts';
import { syncPreviewLines } from '../display/sync-preview-report.ts';
import { suggestion } from '../project/finding.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly rows: number;
  readonly stream?: string;
  readonly full?: true;
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

function refuseFull(name: string, { full }: Options): void {
  if (full === true) throw new MillraceError('config', `${name} is no sync: --full is for syncs.`);
}

/** What a run of the sync would send, and what that would take. */
async function previewOfSync(project: OpenProject, sync: SyncDefinition, { rows, full, stream }: Options, output: Output): Promise<void> {
  if (stream !== undefined) throw new MillraceError('config', `${sync.name} is a sync: --stream is for pipelines.`);
  await findServers(project);
  using stopping = interrupt();
  await using inProcess = await openInProcess('preview', stopping.signal);
  const { previewSync } = await import('../../worker/preview-sync.ts');
  const options = { full: full === true, retry: false, resend: true };
  const found = await previewSync(inProcess.dependencies, { sync, options, samples: rows }, inProcess.attempt);
  output.data(found);
  for (const line of syncPreviewLines(sync, found)) output.line(line);
}

async function previewPipeline(name: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const { runnable } = named(project, name);
  if (runnable.kind === 'sync') return await previewOfSync(project, runnable.definition, options, output);
  refuseFull(name, options);
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
    'Shows rows as the steps leave them, and what would be rejected, over a sample of each stream. Of a sync: what a run would create, update and delete, which rows are invalid and why, and the requests and time it would take. Writes nothing; secrets are looked up on this machine.',
    ['millrace preview films', 'millrace preview films --stream "movies-*.csv" --rows 50', 'millrace preview health-to-hubspot'],
  )
    .argument('<name>', 'a pipeline or sync')
    .option('--rows <number>', 'rows to show of each stream or sync', positive, 10)
    .option('--stream <name>', 'only this stream')
    .option('--full', 'of a sync: what run --full would send')
    .option('--json', 'the result as JSON')
    .action(previewPipeline);
