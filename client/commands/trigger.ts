import type { Command } from 'commander';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';
import { scheduleOf } from '../schedules.ts';

async function trigger(name: string, options: ProjectOptions): Promise<void> {
  const output = outputOf({});
  const project = await openProject(options);
  named(project, name);
  await using connected = await connectProject(project);
  const schedule = await scheduleOf(connected.client, project.name, name);
  const [running] = (await schedule.describe()).info.runningActions.slice(-1);
  await schedule.trigger();
  if (running === undefined) output.line(`${name}: its schedule starts a run now; millrace status ${name} shows it.`);
  else
    output.line(
      `${name}: a run of its schedule is under way (${connected.page({ workflowId: running.workflow.workflowId })}); this start is skipped.`,
    );
}

/** `millrace trigger` */
export const command = (): Command =>
  projectCommand('trigger', 'Lets a schedule start its run now, with the definition that was applied; skipped while one is under way.', [
    'millrace trigger shop',
  ])
    .argument('<name>', 'a pipeline or model with a schedule')
    .action(trigger);
