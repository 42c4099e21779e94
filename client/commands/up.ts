import type { Command } from 'commander';
import type { LocalOptions, LocalServers } from '../../worker/local/options.ts';
import { applyProject } from '../command-line/applied.ts';
import { serveCodec } from '../command-line/codec.ts';
import { aborted, interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { allNamed, openProject, type OpenProject } from '../command-line/project.ts';
import { connect, localOptions, startServers, type Connected } from '../command-line/servers.ts';
import { startGateway, welcome as welcomeGateway } from '../command-line/serving.ts';
import { loadsEvents } from '../ingest-standing.ts';
import { startWorker } from '../command-line/worker.ts';

interface Options extends ProjectOptions {
  /** False under `--no-apply`. */
  readonly apply: boolean;
}

/** Stops the servers that this `up` started; those that ran before stay. */
async function stopStarted(servers: LocalServers, project: OpenProject, output: Output): Promise<void> {
  if (servers.postgres?.started !== true && servers.temporal?.started !== true) return;
  const { stopLocal } = await import('../../worker/local/index.ts');
  const stopped = await stopLocal(project.folder, output.note);
  if (stopped.length > 0) output.note(`stopped ${stopped.join(' and ')}`);
}

function welcome(project: OpenProject, connected: Connected, output: Output): void {
  const all = allNamed(project);
  const first = all.find(({ runnable }) => runnable.kind !== 'pipeline' || !loadsEvents(runnable.definition));
  output.line(`${project.name} is up; Ctrl-C stops it.`);
  if (first === undefined) return all.length > 0 ? output.line('In another terminal: millrace status') : undefined;
  const { name } = first.runnable.definition;
  output.line(`In another terminal: millrace run ${name}, millrace status`);
  output.line(`Runs: ${connected.page({ workflowId: `${project.name}/${name}` })}`);
}

/** The gateway of a project that has one. */
async function serveGateway(project: OpenProject, { client }: Connected, output: Output): Promise<AsyncDisposable | undefined> {
  const { gateway } = project.definitions;
  if (gateway === undefined) return undefined;
  const serving = await startGateway({ project, client: async () => await Promise.resolve(client), level: 'warn' });
  welcomeGateway(serving, gateway, output);
  return { [Symbol.asyncDispose]: async () => await serving.close() };
}

async function stayUp(project: OpenProject, local: LocalOptions, servers: LocalServers, signal: AbortSignal, options: Options) {
  const output = outputOf({});
  await using connected = await connect(servers);
  const worker = await startWorker({ project, connected, stays: { level: 'warn', stateFolder: project.loaded.stateFolder } });
  const { superviseLocal } = await import('../../worker/local/index.ts');
  const watch = new AbortController();
  const supervision = superviseLocal(local, {
    signal: watch.signal,
    onRestart: (server) => output.note(`${server} is back`),
  });
  try {
    if (options.apply) for (const line of (await applyProject(connected.client, project, {})).lines) output.line(line);
    welcome(project, connected, output);
    await using _gateway = await serveGateway(project, connected, output);
    await using _codec = await serveCodec(project, connected, output);
    const why = await Promise.race([aborted(signal).then(() => 'interrupted'), worker.ended.then(() => 'ended'), supervision]);
    output.note(
      why === 'stopped'
        ? 'the servers were stopped (millrace down): stopping the worker'
        : 'stopping: steps at work come to a safe end first',
    );
  } finally {
    watch.abort();
    await worker.stop();
    await supervision;
  }
}

async function up(options: Options): Promise<void> {
  const output = outputOf({});
  const project = await openProject(options);
  using stopping = interrupt();
  const local = localOptions(project, output.note);
  const servers = await startServers(local, project, output.note);
  try {
    await stayUp(project, local, servers, stopping.signal, options);
  } finally {
    await stopStarted(servers, project, output);
  }
}

/** `millrace up` */
export const command = (): Command =>
  projectCommand(
    'up',
    'Starts what is missing on this machine (PostgreSQL for warehouses without an address, Temporal), a worker, and the gateway of a project that has one, applies the schedules, and keeps all running. Ctrl-C stops in order.',
    ['millrace up', 'millrace up --no-apply'],
  )
    .option('--no-apply', 'leave the schedules on the server as they are')
    .action(up);
