import type { Command } from 'commander';
import type { BookedStream } from '../../schema/books.ts';
import { MillraceError } from '../../schema/errors.ts';
import { withBooks } from '../command-line/books.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { Unsuccessful } from '../command-line/failure.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { allNamed, named, openProject, schedulesOf, type OpenProject } from '../command-line/project.ts';
import { connectProject, type Connected } from '../command-line/servers.ts';
import { hasWorker } from '../command-line/worker.ts';
import { streamsTable } from '../display/books-report.ts';
import { attention, standingDetail, standingsTable } from '../display/standing-report.ts';
import { taskQueueOf } from '../names.ts';
import { standingOf, type Standing } from '../standing.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly failIfLate?: true;
}

async function standingsOf(project: OpenProject, connected: Connected, name: string | undefined): Promise<readonly Standing[]> {
  const wanted = name === undefined ? allNamed(project) : [named(project, name)];
  const scheduled = new Map(schedulesOf(project).map(({ runnable, hash }) => [runnable.definition.name, hash]));
  return await Promise.all(wanted.map(({ runnable }) => standingOf(connected.client, runnable, scheduled.get(runnable.definition.name))));
}

/** Where the streams of a pipeline stand, by its warehouse; a sentence where it can't be asked from here. */
async function streamsOf(project: OpenProject, name: string): Promise<readonly BookedStream[] | string> {
  const { runnable } = named(project, name);
  if (runnable.kind !== 'pipeline') return [];
  using stopping = interrupt();
  try {
    return await withBooks(project, runnable.definition, stopping.signal, (books, attempt) =>
      books.listStreams({ project: project.name, pipeline: name }, attempt),
    );
  } catch (error) {
    if (error instanceof MillraceError) return `Cursors can't be read from here: ${error.message}`;
    throw error;
  }
}

function showStreams(streams: readonly BookedStream[] | string, output: Output): void {
  const lines = typeof streams === 'string' ? [streams] : streams.length > 0 ? streamsTable(streams) : [];
  if (lines.length > 0) output.line();
  for (const line of lines) output.line(line);
}

function show(standings: readonly Standing[], name: string | undefined, connected: Connected, output: Output): void {
  const [only] = standings;
  const lines = name !== undefined && only !== undefined ? standingDetail(only, connected.page) : standingsTable(standings);
  for (const line of lines) output.line(line);
  const sentences = standings.flatMap(attention);
  if (sentences.length > 0) output.line();
  for (const sentence of sentences) output.line(sentence);
}

async function status(name: string | undefined, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  if (name !== undefined) named(project, name);
  await using connected = await connectProject(project);
  const standings = await standingsOf(project, connected, name);
  const worker = await hasWorker(connected.client, taskQueueOf(project.name));
  const streams = name === undefined ? [] : await streamsOf(project, name);
  output.data({ project: project.name, worker, standings, ...(name === undefined ? {} : { streams }) });
  show(standings, name, connected, output);
  showStreams(streams, output);
  if (!worker) output.line('No worker is up (millrace up or millrace worker).');
  const late = standings.filter((standing) => standing.late);
  if (options.failIfLate === true && late.length > 0) throw new Unsuccessful();
}

/** `millrace status` */
export const command = (): Command =>
  projectCommand('status', 'Shows the last runs, what they loaded, cursors, schedules and the next start.', [
    'millrace status',
    'millrace status shop',
    'millrace status --json',
    'millrace status --fail-if-late    # exit code 1 when a pipeline or sync is older than its expect_every',
  ])
    .argument('[name]', 'a pipeline, model or sync; without it, all')
    .option('--json', 'the result as JSON')
    .option('--fail-if-late', 'exit code 1 when a pipeline or sync has had no success for longer than its expect_every')
    .action(status);
