import type { Command } from 'commander';
import { serversFor, workerFor } from '../command-line/at-work.ts';
import { pipelineOf } from '../command-line/books.ts';
import { Unsuccessful, exitCodes } from '../command-line/failure.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject } from '../command-line/project.ts';
import { conclude } from '../command-line/run-outcome.ts';
import { runToEnd } from '../command-line/run-to-end.ts';
import { startRun } from '../runs.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly stream?: string;
}

async function retry(name: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  pipelineOf(project, name);
  const { runnable, hash } = named(project, name);
  using stopping = interrupt();
  await using connected = await serversFor(project, output);
  const worker = await workerFor(project, connected, output);
  try {
    const again = options.stream === undefined ? {} : { stream: options.stream };
    const started = await startRun(connected.client, runnable, { fullRefresh: false, retry: again }, hash);
    output.note(`started: ${connected.page(started)}`);
    const outcome = await runToEnd(started, false, { connected, runnable, output, signal: stopping.signal });
    if (outcome === undefined) {
      output.note(`The retry goes on where a worker is up; millrace status ${name} shows it, millrace cancel ${name} ends it.`);
      throw new Unsuccessful(exitCodes.interrupted);
    }
    conclude(outcome, started, connected, output);
  } finally {
    await worker?.stop();
  }
}

/** `millrace retry` */
export const command = (): Command =>
  projectCommand(
    'retry',
    'Takes the open rejections of a pipeline, as they were read, through the present steps and loads those that pass. What is refused again stays open; the cursor never moves. At most 1000 rejections of each rule and load are kept to be taken up.',
    ['millrace retry films', 'millrace retry films --stream "movies-*.csv"'],
  )
    .argument('<name>', 'a pipeline')
    .option('--stream <name>', 'only this stream')
    .option('--json', 'the result as JSON; the way there goes to standard error')
    .action(retry);
