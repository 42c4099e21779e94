import { Option, type Command } from 'commander';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import { serversFor, workerFor } from '../command-line/at-work.ts';
import { pipelineOf } from '../command-line/books.ts';
import { Unsuccessful, exitCodes } from '../command-line/failure.ts';
import { firstReasons } from '../command-line/first-reasons.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject, type OpenProject } from '../command-line/project.ts';
import { conclude } from '../command-line/run-outcome.ts';
import { retryEvents } from '../command-line/run-events.ts';
import { runToEnd } from '../command-line/run-to-end.ts';
import { syncOptionsOf, type Asking } from '../command-line/sync-options.ts';
import { loadsEvents } from '../ingest-standing.ts';
import { startRun, type Runnable, type StartOptions } from '../runs.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly stream?: string;
  readonly unknown?: 'sent' | 'lost';
  readonly yes?: true;
}

/** Throws `config` where options don't go with what is retried. */
function refuse(project: OpenProject, { kind, definition: { name } }: Runnable, { stream, unknown }: Options): void {
  if (kind !== 'sync') pipelineOf(project, name);
  if (kind === 'sync' && stream !== undefined) throw new MillraceError('config', `${name} is a sync: --stream is for pipelines.`);
  if (kind !== 'sync' && unknown !== undefined) throw new MillraceError('config', `${name} is a ${kind}: --unknown is for syncs.`);
}

/** Events are of one stream, called as their connection. */
function refuseStream({ name, from }: PipelineDefinition, stream: string | undefined): void {
  if (stream !== undefined && stream !== from.name)
    throw new MillraceError('not-found', `${name} has no stream ${stream}; its one stream is ${from.name}`);
}

async function startOptionsOf(runnable: Runnable, { stream, unknown, yes }: Options, asking: Asking): Promise<StartOptions> {
  if (runnable.kind === 'sync') return await syncOptionsOf(runnable.definition, { retry: true, unknown, yes }, asking);
  return { fullRefresh: false, retry: stream === undefined ? {} : { stream } };
}

async function retry(name: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const { runnable, hash } = named(project, name);
  refuse(project, runnable, options);
  using stopping = interrupt();
  await using connected = await serversFor(project, output);
  if (runnable.kind === 'pipeline' && loadsEvents(runnable.definition)) {
    refuseStream(runnable.definition, options.stream);
    const events = { project, connected, output, signal: stopping.signal, detach: false };
    return await retryEvents(events, { definition: runnable.definition, hash });
  }
  const asked = await startOptionsOf(runnable, options, { project, output, signal: stopping.signal });
  const worker = await workerFor(project, connected, output);
  try {
    const started = await startRun(connected.client, runnable, asked, hash);
    output.note(`started: ${connected.page(started)}`);
    const outcome = await runToEnd(started, false, { connected, runnable, output, signal: stopping.signal });
    if (outcome === undefined) {
      output.note(`The retry goes on where a worker is up; millrace status ${name} shows it, millrace cancel ${name} ends it.`);
      throw new Unsuccessful(exitCodes.interrupted);
    }
    const reasons = await firstReasons(project, runnable, outcome, stopping.signal);
    conclude(outcome, started, { connected, output, reasons });
  } finally {
    await worker?.stop();
  }
}

/** `millrace retry` */
export const command = (): Command =>
  projectCommand(
    'retry',
    'Takes the open rejections of a pipeline, as they were read, through the present steps and loads those that pass. What is refused again stays open; the cursor never moves. At most 1000 rejections of each rule and load are kept to be taken up. Of a sync: sends its rejected rows, as the model has them now, without waiting for their next time.',
    ['millrace retry films', 'millrace retry films --stream "movies-*.csv"', 'millrace retry health-to-hubspot --unknown lost'],
  )
    .argument('<name>', 'a pipeline or sync')
    .option('--stream <name>', 'only this stream')
    .addOption(
      new Option(
        '--unknown <what>',
        'of a sync: rows whose outcome stayed unknown were `sent` after all, or are `lost` and sent again',
      ).choices(['sent', 'lost']),
    )
    .option('--yes', 'answer yes to what would be asked')
    .option('--json', 'the result as JSON; the way there goes to standard error')
    .action(retry);
