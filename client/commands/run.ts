import type { Command } from 'commander';
import { MillraceError } from '../../schema/errors.ts';
import { Unsuccessful, exitCodes } from '../command-line/failure.ts';
import { firstReasons } from '../command-line/first-reasons.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { named, openProject, type Named, type OpenProject } from '../command-line/project.ts';
import { confirm } from '../command-line/question.ts';
import { conclude } from '../command-line/run-outcome.ts';
import { runEvents } from '../command-line/run-events.ts';
import { runToEnd } from '../command-line/run-to-end.ts';
import { syncOptionsOf, type Asking } from '../command-line/sync-options.ts';
import { serversFor, workerFor } from '../command-line/at-work.ts';
import type { Connected } from '../command-line/servers.ts';
import { hasWorker, type RunningWorker } from '../command-line/worker.ts';
import { loadsEvents } from '../ingest-standing.ts';
import { taskQueueOf } from '../names.ts';
import { isPlain, startRun, type Runnable, type StartedRun, type StartOptions } from '../runs.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly fullRefresh?: true;
  readonly full?: true;
  readonly resend?: true;
  readonly from?: string;
  readonly to?: string;
  readonly detach?: true;
  readonly yes?: true;
}

/** Options that are of one kind of run only. */
const only: readonly (readonly [option: keyof Options, text: string, kind: Runnable['kind']])[] = [
  ['fullRefresh', '--full-refresh', 'pipeline'],
  ['from', '--from', 'pipeline'],
  ['to', '--to', 'pipeline'],
  ['full', '--full', 'sync'],
  ['resend', '--resend', 'sync'],
];

/** Throws `config` where options don't go together, or with what is run. */
function refuse({ runnable }: Named, options: Options): void {
  for (const [option, text, kind] of only) {
    if (options[option] === undefined || runnable.kind === kind) continue;
    throw new MillraceError('config', `${runnable.definition.name} is a ${runnable.kind}: ${text} is for ${kind}s.`);
  }
  if (runnable.kind === 'pipeline' && loadsEvents(runnable.definition) && only.some(([option]) => options[option] !== undefined)) {
    throw new MillraceError(
      'config',
      `${runnable.definition.name} loads events, which are gone from staging once they are loaded: they can't be read again.`,
    );
  }
  if (options.fullRefresh === true && (options.from !== undefined || options.to !== undefined)) {
    throw new MillraceError('config', '--full-refresh reads everything and --from --to a window: give one of them.');
  }
}

/** A full refresh of append and history streams loses what only the warehouse has. */
async function askAboutRefresh({ runnable }: Named, { fullRefresh, yes }: Options): Promise<void> {
  if (fullRefresh !== true || runnable.kind !== 'pipeline') return;
  const kept = runnable.definition.streams.filter(({ mode }) => mode === 'append' || mode === 'history');
  if (kept.length === 0) return;
  const names = kept.map(({ stream, mode }) => `${stream} (${mode})`).join(', ');
  const question = `A full refresh replaces what was gathered in ${names}; rows gone from the source are lost.`;
  if (!(await confirm(question, yes === true))) throw new Unsuccessful();
}

/** The options of the run itself; of a sync after the question that its books raise. */
async function startOptionsOf({ runnable }: Named, options: Options, asking: Asking): Promise<StartOptions> {
  if (runnable.kind === 'sync') return await syncOptionsOf(runnable.definition, options, asking);
  const { fullRefresh = false, from, to } = options;
  const window = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  return { fullRefresh, ...(from === undefined && to === undefined ? {} : { window }) };
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
  refuse(target, options);
  using stopping = interrupt();
  await askAboutRefresh(target, options);
  await using connected = await serversFor(project, output);
  if (target.runnable.kind === 'pipeline' && loadsEvents(target.runnable.definition)) {
    return await runEvents(
      { project, connected, output, signal: stopping.signal, detach: options.detach === true },
      {
        definition: target.runnable.definition,
        hash: target.hash,
      },
    );
  }
  const runOptions = await startOptionsOf(target, options, { project, output, signal: stopping.signal });
  const worker = options.detach === true ? undefined : await workerFor(project, connected, output);
  try {
    const started = await startRun(connected.client, target.runnable, runOptions, target.hash);
    output.note(`${started.joined ? 'joined the run under way' : 'started'}: ${connected.page(started)}`);
    if (options.detach === true) return await detached(started, connected, project, output);
    const outcome = await runToEnd(started, isPlain(runOptions), { connected, runnable: target.runnable, output, signal: stopping.signal });
    if (outcome === undefined) leave(name, worker, output);
    const reasons = await firstReasons(project, target.runnable, outcome, stopping.signal);
    conclude(outcome, started, { connected, output, reasons });
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
    'Runs a pipeline, model or sync and follows it to its end. Uses what is up, or starts what is missing. Exit code 0 only on success.',
    [
      'millrace run shop',
      'millrace run shop --detach',
      'millrace run shop --from 2026-11-01 --to 2026-11-08',
      'millrace run shop --full-refresh --yes',
      'millrace run health-to-hubspot --full',
    ],
  )
    .argument('<name>', 'a pipeline, model or sync of the project file')
    .option('--full-refresh', 'read everything again and put it in the place of what was loaded; append and history ask first')
    .option('--from <cursor>', 'read again from this value of the cursor column on; the stored cursor never moves')
    .option('--to <cursor>', 'read again up to, and without, this value')
    .option('--full', 'of a sync: send every row of the model again, whatever was acknowledged')
    .option('--resend', 'of a sync: rows may be sent again because its mapping has changed; without it, the command asks')
    .option('--detach', 'start the run and leave it to the worker')
    .option('--yes', 'answer yes to what would be asked')
    .option('--json', 'the result as JSON; the way there goes to standard error')
    .action(run);
