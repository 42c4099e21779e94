#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { exitCodes, tell } from './command-line/failure.ts';

interface Entry {
  readonly summary: string;
  /** A command's module is read only when it is called, so that help and short commands start at once. */
  readonly load: () => Promise<{ readonly command: () => Command }>;
}

const entries: Readonly<Record<string, Entry>> = {
  init: { summary: 'write a first project file', load: () => import('./commands/init.ts') },
  up: { summary: 'start what is missing locally, a worker and the gateway, and keep them running', load: () => import('./commands/up.ts') },
  down: { summary: 'stop the local servers', load: () => import('./commands/down.ts') },
  worker: { summary: 'run a worker alone, for servers elsewhere', load: () => import('./commands/worker.ts') },
  serve: { summary: 'run the gateway alone: APIs, events taken in, changes', load: () => import('./commands/serve.ts') },
  run: { summary: 'run a pipeline, model or sync, and follow it to its end', load: () => import('./commands/run.ts') },
  apply: { summary: 'make the schedules on the server equal to the project file', load: () => import('./commands/apply.ts') },
  status: { summary: 'show last runs, cursors, rows and schedules', load: () => import('./commands/status.ts') },
  check: { summary: 'check the project file, its connections and its steps', load: () => import('./commands/check.ts') },
  discover: {
    summary: 'list the streams of a connection, or the objects and fields of an application',
    load: () => import('./commands/discover.ts'),
  },
  preview: { summary: 'show rows as the steps leave them, or what a sync would send', load: () => import('./commands/preview.ts') },
  explain: { summary: 'say why a row of a sync was sent or not', load: () => import('./commands/explain.ts') },
  copy: { summary: 'copy one table or file without a project file', load: () => import('./commands/copy.ts') },
  rejections: { summary: 'show the rows that were refused, with reasons', load: () => import('./commands/rejections.ts') },
  retry: { summary: 'take up the refused rows again', load: () => import('./commands/retry.ts') },
  state: { summary: 'show, set or rename where the streams of a pipeline stand', load: () => import('./commands/state.ts') },
  pause: { summary: 'pause a schedule', load: () => import('./commands/pause.ts') },
  resume: { summary: 'let a paused schedule start runs again', load: () => import('./commands/resume.ts') },
  trigger: { summary: 'let a schedule start its run now', load: () => import('./commands/trigger.ts') },
  token: { summary: 'make, list and revoke tokens of the gateway', load: () => import('./commands/token.ts') },
  webhooks: { summary: 'show how far outgoing webhooks are, and what was never taken', load: () => import('./commands/webhooks.ts') },
  replay: { summary: 'post dead letters of a webhook again', load: () => import('./commands/replay.ts') },
  audit: { summary: 'show the audit log of the gateway, or check that it is whole', load: () => import('./commands/audit.ts') },
  openapi: { summary: 'print the OpenAPI document of the APIs', load: () => import('./commands/openapi.ts') },
  'graphql-schema': { summary: 'print the GraphQL schema of the APIs', load: () => import('./commands/graphql-schema.ts') },
  cancel: { summary: 'stop the runs under way', load: () => import('./commands/cancel.ts') },
};

function program(): Command {
  const millrace = new Command('millrace')
    .description('Moves data as durable Temporal workflows, from one project file.')
    .helpCommand(false)
    .exitOverride()
    .addHelpText('after', '\nmillrace <command> --help shows a command with examples. First steps: millrace init, millrace up.');
  for (const [name, { summary }] of Object.entries(entries)) millrace.command(name).description(summary);
  return millrace;
}

/** Reads the arguments behind `millrace` and does what they say. */
async function main(args: readonly string[]): Promise<void> {
  const [first = '', ...rest] = args[0] === 'help' ? [...args.slice(1), '--help'] : args;
  const entry = entries[first];
  if (entry === undefined) {
    if (first === '--version') return void process.stdout.write(`${await version()}\n`);
    await program().parseAsync(first === '' ? ['--help'] : [...args], { from: 'user' });
    return;
  }
  const { command } = await entry.load();
  await command().name(`millrace ${first}`).exitOverride().parseAsync(rest, { from: 'user' });
}

async function version(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const folder = import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json';
  const content: unknown = JSON.parse(await readFile(new URL(folder, import.meta.url), 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content ? String(content.version) : 'unknown';
}

/** Tells of an error on standard error and gives the exit code. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  const { text, exitCode } = tell(error);
  if (text !== '') process.stderr.write(`millrace: ${text}\n`);
  if (process.env['MILLRACE_DEBUG'] !== undefined && error instanceof Error) console.error(error);
  return exitCode;
}

// A reader that has seen enough (`millrace status | head`) ends no run.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
