import type { Command } from 'commander';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';
import { scheduleOf } from '../schedules.ts';

interface Options extends ProjectOptions {
  readonly note?: string;
}

async function pause(name: string, options: Options): Promise<void> {
  const project = await openProject(options);
  named(project, name);
  await using connected = await connectProject(project);
  const schedule = await scheduleOf(connected.client, project.name, name);
  await schedule.pause(options.note ?? 'paused by millrace pause');
  outputOf({}).line(`${name}: its schedule is paused; a run under way goes on. millrace resume ${name} lets it start again.`);
}

/** `millrace pause` */
export const command = (): Command =>
  projectCommand('pause', 'Pauses a schedule: no new runs start. millrace apply leaves it paused.', [
    'millrace pause shop --note "the shop moves"',
  ])
    .argument('<name>', 'a pipeline, model or sync with a schedule')
    .option('--note <text>', 'why; status shows it')
    .action(pause);
