import { mkdir } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { modes } from '../../schema/definition.ts';
import { copyProject, type CopyOptions } from '../command-line/copy-project.ts';
import { Unsuccessful, exitCodes } from '../command-line/failure.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { plainCommand, type JsonOption } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { named, type OpenProject } from '../command-line/project.ts';
import { conclude } from '../command-line/run-outcome.ts';
import { runToEnd } from '../command-line/run-to-end.ts';
import { connect, startServers, type Connected } from '../command-line/servers.ts';
import { startWorker } from '../command-line/worker.ts';
import { startRun } from '../runs.ts';

interface Options extends CopyOptions, JsonOption {}

/** A Temporal server that the environment names, or that is up in this folder; else one of the copy's own, which ends with it. */
async function serversFor(project: OpenProject, output: Output): Promise<{ readonly connected: Connected; readonly own: boolean }> {
  const { localStatus } = await import('../../worker/local/index.ts');
  const here = await localStatus(process.cwd());
  if (here.temporal !== undefined) return { connected: await connect(here), own: false };
  const local = { folder: project.folder, project: project.name, log: output.note, need: { postgres: false, temporal: true } };
  const servers = await startServers(local, project, output.note);
  return { connected: await connect(servers), own: servers.temporal?.started === true };
}

async function copyWith(project: OpenProject, connected: Connected, signal: AbortSignal, output: Output): Promise<void> {
  const { runnable, hash } = named(project, 'copy');
  const worker = await startWorker({ project, connected });
  try {
    const started = await startRun(connected.client, runnable, { fullRefresh: false }, hash);
    output.note(`${started.joined ? 'going on with what was interrupted' : 'started'}: ${connected.page(started)}`);
    const outcome = await runToEnd(started, true, { connected, runnable, output, signal });
    if (outcome === undefined) {
      output.note('Interrupted. The same command goes on where this one stopped.');
      throw new Unsuccessful(exitCodes.interrupted);
    }
    conclude(outcome, started, { connected, output });
  } finally {
    await worker.stop();
  }
}

async function copy(options: Options): Promise<void> {
  const output = outputOf(options);
  const project = copyProject(options);
  await mkdir(project.folder, { recursive: true, mode: 0o700 });
  using stopping = interrupt();
  const { connected, own } = await serversFor(project, output);
  try {
    await copyWith(project, connected, stopping.signal, output);
  } finally {
    await connected[Symbol.asyncDispose]();
    if (own) {
      const { stopLocal } = await import('../../worker/local/index.ts');
      await stopLocal(project.folder, output.note);
    }
  }
}

const listed = (text: string): readonly string[] => text.split(',').map((part) => part.trim());

/** `millrace copy` */
export const command = (): Command =>
  plainCommand(
    'copy',
    'Copies one table or file into a PostgreSQL database, without a project file. The same command again goes on with what was interrupted.',
    [
      'millrace copy --from postgres://reader@shop/shop --to postgres://loader@dwh/dwh --stream sales.orders',
      "millrace copy --from '${env:SHOP_URL}' --to '${env:WAREHOUSE_URL}' --stream orders --mode merge --key id --cursor updated_at",
      'millrace copy --from ./data/films.csv --to postgres://localhost/dwh --into films.films',
    ],
  )
    .requiredOption('--from <address>', 'a PostgreSQL database, a folder or a file; ${env:NAME} keeps a password out of the shell history')
    .requiredOption('--to <address>', 'a PostgreSQL database')
    .option('--stream <name>', 'the table; or the file or pattern in the folder')
    .option('--into <schema.table>', "where to; without it, the stream's own schema and name, and public for files")
    .addOption(new Option('--mode <mode>', 'how the rows get there').choices(modes).default('replace'))
    .option('--key <columns>', 'columns that identify a row, separated by commas', listed)
    .option('--cursor <column>', 'a column that grows with every change; the same command again reads from where the last ended')
    .option('--json', 'the result as JSON; the way there goes to standard error')
    .action(copy);
