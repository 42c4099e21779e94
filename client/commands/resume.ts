import type { Command } from 'commander';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';
import { moment } from '../display/text.ts';
import { loadsEvents } from '../ingest-standing.ts';
import { scheduleOf, scheduleStatus } from '../schedules.ts';
import { resumeIngest } from '../wake-ingest.ts';

async function resume(name: string, options: ProjectOptions): Promise<void> {
  const project = await openProject(options);
  const { runnable, hash } = named(project, name);
  await using connected = await connectProject(project);
  if (runnable.kind === 'pipeline' && loadsEvents(runnable.definition)) {
    await resumeIngest(connected.client, { definition: runnable.definition, hash });
    return outputOf({}).line(`${name}: events are loaded again.`);
  }
  const schedule = await scheduleOf(connected.client, project.name, name);
  await schedule.unpause();
  const next = (await scheduleStatus(connected.client, project.name, name))?.next;
  outputOf({}).line(`${name}: its schedule starts runs again${next === undefined ? '' : `, next ${moment(next)}`}.`);
}

/** `millrace resume` */
export const command = (): Command =>
  projectCommand('resume', 'Lets a paused schedule start runs again, or paused events be loaded.', ['millrace resume shop'])
    .argument('<name>', 'a pipeline, model or sync with a schedule, or a pipeline of events')
    .action(resume);
