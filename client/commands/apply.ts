import type { Command } from 'commander';
import { applyProject } from '../command-line/applied.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly dryRun?: true;
  readonly prune?: true;
}

async function apply(options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  await using connected = await connectProject(project);
  const { applied, lines } = await applyProject(connected.client, project, {
    dryRun: options.dryRun === true,
    prune: options.prune === true,
  });
  output.data(applied);
  for (const line of lines) output.line(line);
  if (lines.length === 0) output.line(`${project.name} has no schedules; "schedule: every 15 minutes" in a pipeline makes one.`);
}

/** `millrace apply` */
export const command = (): Command =>
  projectCommand(
    'apply',
    'Makes the schedules on the Temporal server equal to the project file. Again, it changes nothing; a pause stays.',
    ['millrace apply --dry-run', 'millrace apply --prune'],
  )
    .option('--dry-run', 'say what would change, and change nothing')
    .option('--prune', 'remove schedules of this project that the file no longer has')
    .option('--json', 'the result as JSON')
    .action(apply);
