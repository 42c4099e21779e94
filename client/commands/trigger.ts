import { InvalidArgumentError, type Command } from 'commander';
import { MillraceError } from '../../schema/errors.ts';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';
import { backfill, scheduleOf } from '../schedules.ts';

interface Options extends ProjectOptions {
  readonly from?: Date;
  readonly to?: Date;
}

function moment(text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw new InvalidArgumentError('Give a moment as in 2026-01-31 or 2026-01-31T06:00:00Z.');
  return date;
}

async function trigger(name: string, options: Options): Promise<void> {
  const output = outputOf({});
  const project = await openProject(options);
  named(project, name);
  await using connected = await connectProject(project);
  const schedule = await scheduleOf(connected.client, project.name, name);
  if (options.from !== undefined || options.to !== undefined) {
    const { from, to = new Date() } = options;
    if (from === undefined) throw new MillraceError('config', 'A backfill needs --from: the moment of the first start to make up for.');
    await backfill(schedule, from, to);
    output.line(
      `${name}: the starts that its schedule has from ${from.toISOString()} to ${to.toISOString()} are made, one after the other.`,
    );
    return;
  }
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
    'millrace trigger shop --from 2026-01-01 --to 2026-01-08',
  ])
    .argument('<name>', 'a pipeline, model or sync with a schedule')
    .option('--from <moment>', 'make up for the starts that the schedule has from this moment on', moment)
    .option('--to <moment>', 'and up to this one; now when left out', moment)
    .action(trigger);
