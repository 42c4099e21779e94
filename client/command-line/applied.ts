import type { Client } from '@temporalio/client';
import { applySchedules, type Applied, type ApplyOptions } from '../schedules.ts';
import { watchesOf } from '../watch-schedules.ts';
import { schedulesOf, type OpenProject } from './project.ts';

const sentences: Readonly<Record<Applied['change'], string>> = {
  created: 'schedule created',
  updated: 'schedule updated',
  unchanged: 'schedule unchanged',
  pruned: 'schedule removed: the project file no longer has it',
  stale: 'has a schedule on the server that the project file no longer has: millrace apply --prune removes it',
};

const intentions: Readonly<Record<Applied['change'], string>> = {
  ...sentences,
  created: 'schedule would be created',
  updated: 'schedule would be updated',
  pruned: 'schedule would be removed',
};

const expectedOf = ({ definitions: { pipelines, syncs } }: OpenProject) =>
  [...pipelines.values(), ...syncs.values()].map(({ definition }) => definition);

/** Makes the server's schedules equal to the project file's, and gives what was done and a line for each. */
export async function applyProject(
  client: Client,
  project: OpenProject,
  options: ApplyOptions,
): Promise<{ readonly applied: readonly Applied[]; readonly lines: readonly string[] }> {
  const applied = await applySchedules(client, project.name, [...schedulesOf(project), ...watchesOf(expectedOf(project))], options);
  const words = options.dryRun === true ? intentions : sentences;
  return { applied, lines: applied.map(({ name, change }) => `${name}: ${words[change]}`) };
}
