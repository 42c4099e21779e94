import type { Command } from 'commander';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';
import { loadsEvents } from '../ingest-standing.ts';
import { scheduleOf } from '../schedules.ts';
import { pauseIngest } from '../wake-ingest.ts';

interface Options extends ProjectOptions {
  readonly note?: string;
}

async function pause(name: string, options: Options): Promise<void> {
  const project = await openProject(options);
  const { runnable, hash } = named(project, name);
  await using connected = await connectProject(project);
  const note = options.note ?? 'paused by millrace pause';
  if (runnable.kind === 'pipeline' && loadsEvents(runnable.definition)) {
    await pauseIngest(connected.client, { definition: runnable.definition, hash }, note);
    return outputOf({}).line(`${name}: events wait on disk; a load under way goes on. millrace resume ${name} loads them.`);
  }
  const schedule = await scheduleOf(connected.client, project.name, name);
  await schedule.pause(note);
  outputOf({}).line(`${name}: its schedule is paused; a run under way goes on. millrace resume ${name} lets it start again.`);
}

/** `millrace pause` */
export const command = (): Command =>
  projectCommand(
    'pause',
    'Pauses a schedule: no new runs start. millrace apply leaves it paused. Of a pipeline of events: they are taken, and wait to be loaded.',
    ['millrace pause shop --note "the shop moves"'],
  )
    .argument('<name>', 'a pipeline, model or sync with a schedule, or a pipeline of events')
    .option('--note <text>', 'why; status shows it')
    .action(pause);
