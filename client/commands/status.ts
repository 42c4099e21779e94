import type { Command } from 'commander';
import type { BookedStream } from '../../schema/books.ts';
import type { BookedSyncRun } from '../../schema/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import { withBooks } from '../command-line/books.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { Unsuccessful } from '../command-line/failure.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { allNamed, named, openProject, schedulesOf, type OpenProject } from '../command-line/project.ts';
import { connectProject, type Connected } from '../command-line/servers.ts';
import { hasWorker } from '../command-line/worker.ts';
import { withSyncBooks } from '../command-line/sync-books.ts';
import { streamsTable } from '../display/books-report.ts';
import { attention, standingDetail, standingsTable } from '../display/standing-report.ts';
import { syncRunsTable } from '../display/sync-books-report.ts';
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

/** What the books of one pipeline or sync have, as data and as lines; a sentence where they can't be asked from here. */
interface Booked {
  readonly data: { readonly streams: readonly BookedStream[] | string } | { readonly runs: readonly BookedSyncRun[] | string };
  readonly lines: readonly string[];
}

const shownRuns = 10;

async function readBooks<T>(read: (signal: AbortSignal) => Promise<readonly T[]>): Promise<readonly T[] | string> {
  using stopping = interrupt();
  try {
    return await read(stopping.signal);
  } catch (error) {
    if (error instanceof MillraceError) return `The books can't be read from here: ${error.message}`;
    throw error;
  }
}

function linesOf<T>(found: readonly T[] | string, table: (rows: readonly T[]) => readonly string[]): readonly string[] {
  return typeof found === 'string' ? [found] : found.length > 0 ? table(found) : [];
}

async function bookedOf(project: OpenProject, name: string): Promise<Booked> {
  const { kind, definition } = named(project, name).runnable;
  if (kind === 'sync') {
    const query = { project: project.name, sync: name, limit: shownRuns };
    const runs = await readBooks((signal) =>
      withSyncBooks(project, definition, signal, (books, attempt) => books.listRuns(query, attempt)),
    );
    return { data: { runs }, lines: linesOf(runs, syncRunsTable) };
  }
  if (kind === 'model') return { data: { streams: [] }, lines: [] };
  const streams = await readBooks((signal) =>
    withBooks(project, definition, signal, (books, attempt) => books.listStreams({ project: project.name, pipeline: name }, attempt)),
  );
  return { data: { streams }, lines: linesOf(streams, streamsTable) };
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
  const booked = name === undefined ? undefined : await bookedOf(project, name);
  output.data({ project: project.name, worker, standings, ...booked?.data });
  show(standings, name, connected, output);
  for (const line of booked === undefined || booked.lines.length === 0 ? [] : ['', ...booked.lines]) output.line(line);
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
