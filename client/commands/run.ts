import type { Command } from 'commander';
import { MillraceError } from '../../schema/errors.ts';
import type { RunOptions } from '../../schema/run.ts';
import { Unsuccessful, exitCodes } from '../command-line/failure.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { named, openProject, type Named, type OpenProject } from '../command-line/project.ts';
import { confirm } from '../command-line/question.ts';
import { conclude } from '../command-line/run-outcome.ts';
import { runToEnd } from '../command-line/run-to-end.ts';
import { serversFor, workerFor } from '../command-line/at-work.ts';
import type { Connected } from '../command-line/servers.ts';
import { hasWorker, type RunningWorker } from '../command-line/worker.ts';
import { taskQueueOf } from '../names.ts';
import { startRun, type StartedRun } from '../runs.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly fullRefresh?: true;
  readonly from?: string;
  readonly to?: string;
  readonly detach?: true;
  readonly yes?: true;
}

/** The options of the run itself. Throws `config` where they don't go together. */
function runOptionsOf({ runnable }: Named, { fullRefresh, from, to }: Options): Omit<RunOptions, 'trigger'> {
  const windowed = from !== undefined || to !== undefined;
  if (runnable.kind === 'model' && (fullRefresh === true || windowed)) {
    throw new MillraceError('config', `${runnable.definition.name} is a model: --full-refresh, --from and --to are for pipelines.`);
  }
  if (fullRefresh === true && windowed) {
    throw new MillraceError('config', '--full-refresh reads everything and --from --to a window: give one of them.');
  }
  const window = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  return { fullRefresh: fullRefresh === true, ...(windowed ? { window } : {}) };
}

/** A full refresh of append and history streams loses what only the warehouse has. */
async function isWanted({ runnable }: Named, options: Options): Promise<boolean> {
  if (options.fullRefresh !== true || runnable.kind === 'model') return true;
  const kept = runnable.definition.streams.filter(({ mode }) => mode === 'append' || mode === 'history');
  if (kept.length === 0) return true;
  const names = kept.map(({ stream, mode }) => `${stream} (${mode})`).join(', ');
  return await confirm(`A full refresh replaces what was gathered in ${names}; rows gone from the source are lost.`, options.yes === true);
}

function leave(name: string, worker: RunningWorker | undefined, output: Output): never {
  const going = worker === undefined ? 'The run goes on' : 'The run waits for a worker (millrace up) and then goes on';
  output.note(`${going}; millrace status ${name} shows it, millrace cancel ${name} ends it.`);
  if (worker !== undefined) output.note('Steps at work come to a safe end first; Ctrl-C again ends at once.');
  throw new Unsuccessful(exitCodes.interrupted);
}

async function run(name: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const target = named(project, name);
  const runOptions = runOptionsOf(target, options);
  if (!(await isWanted(target, options))) throw new Unsuccessful();
  using stopping = interrupt();
  await using connected = await serversFor(project, output);
  const worker = options.detach === true ? undefined : await workerFor(project, connected, output);
  try {
    const started = await startRun(connected.client, target.runnable, runOptions, target.hash);
    output.note(`${started.joined ? 'joined the run under way' : 'started'}: ${connected.page(started)}`);
    if (options.detach === true) return await detached(started, connected, project, output);
    const plain = !runOptions.fullRefresh && runOptions.window === undefined;
    const outcome = await runToEnd(started, plain, { connected, runnable: target.runnable, output, signal: stopping.signal });
    if (outcome === undefined) leave(name, worker, output);
    conclude(outcome, started, connected, output);
  } finally {
    await worker?.stop();
  }
}

async function detached(started: StartedRun, connected: Connected, project: OpenProject, output: Output): Promise<void> {
  output.data({ workflowId: started.workflowId, runId: started.runId, page: connected.page(started), joined: started.joined });
  if (!(await hasWorker(connected.client, taskQueueOf(project.name)))) {
    output.note('No worker is up: the run waits for one (millrace up or millrace worker).');
  }
}

/** `millrace run` */
export const command = (): Command =>
  projectCommand(
    'run',
    'Runs a pipeline or model and follows it to its end. Uses what is up, or starts what is missing. Exit code 0 only on success.',
    [
      'millrace run shop',
      'millrace run shop --detach',
      'millrace run shop --from 2026-11-01 --to 2026-11-08',
      'millrace run shop --full-refresh --yes',
    ],
  )
    .argument('<name>', 'a pipeline or model of the project file')
    .option('--full-refresh', 'read everything again and put it in the place of what was loaded; append and history ask first')
    .option('--from <cursor>', 'read again from this value of the cursor column on; the stored cursor never moves')
    .option('--to <cursor>', 'read again up to, and without, this value')
    .option('--detach', 'start the run and leave it to the worker')
    .option('--yes', 'answer yes to what would be asked')
    .option('--json', 'the result as JSON; the way there goes to standard error')
    .action(run);
