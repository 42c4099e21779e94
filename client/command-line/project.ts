import { join } from 'node:path';
import { MillraceError } from '../../schema/errors.ts';
import { toDefinitions, type Definitions } from '../project/definitions.ts';
import { suggestion } from '../project/finding.ts';
import { loadProject, type LoadedProject } from '../project/load.ts';
import { loadEnvFile } from '../project/variables.ts';
import type { Runnable } from '../runs.ts';
import type { Scheduled } from '../schedules.ts';
import type { ProjectOptions } from './options.ts';

/** The project that a command works on. */
export interface OpenProject {
  readonly name: string;
  readonly folder: string;
  readonly staging: string;
  readonly loaded: LoadedProject;
  readonly definitions: Definitions;
}

/** A pipeline, model or sync of the project file, with the hash of its definition. */
export interface Named {
  readonly runnable: Runnable;
  readonly hash: string;
}

/** Reads the project file; variables of its `.env` count where the environment doesn't have them. */
export async function openProject(options: ProjectOptions): Promise<OpenProject> {
  const loaded = await loadProject(options);
  if (loaded.envFile !== undefined) await loadEnvFile(loaded.envFile, process.env);
  return {
    name: loaded.name,
    folder: loaded.folder,
    staging: process.env['MILLRACE_STAGING'] ?? join(loaded.stateFolder, 'staging'),
    loaded,
    definitions: toDefinitions(loaded),
  };
}

/** Everything that can run, in the order of the project file. */
export function allNamed({ definitions }: OpenProject): readonly Named[] {
  return [
    ...[...definitions.pipelines.values()].map(({ definition, hash }): Named => ({ runnable: { kind: 'pipeline', definition }, hash })),
    ...[...definitions.models.values()].map(({ definition, hash }): Named => ({ runnable: { kind: 'model', definition }, hash })),
    ...[...definitions.syncs.values()].map(({ definition, hash }): Named => ({ runnable: { kind: 'sync', definition }, hash })),
  ];
}

/** The pipeline, model or sync of a name; throws `config` with the nearest name. */
export function named(project: OpenProject, name: string): Named {
  const all = allNamed(project);
  const found = all.find(({ runnable }) => runnable.definition.name === name);
  if (found !== undefined) return found;
  const names = all.map(({ runnable }) => runnable.definition.name);
  const known = names.length === 0 ? ' It has none yet.' : suggestion(name, names);
  throw new MillraceError('config', `The project ${project.name} has no pipeline, model or sync "${name}".${known}`);
}

/** What the project file wants to run by itself. */
export function schedulesOf({ definitions }: OpenProject): readonly Scheduled[] {
  const of = [...definitions.pipelines.values()].flatMap(({ definition, hash, schedule }): Scheduled[] =>
    schedule === undefined ? [] : [{ runnable: { kind: 'pipeline', definition }, schedule, hash }],
  );
  const models = [...definitions.models.values()].flatMap(({ definition, hash, schedule }): Scheduled[] =>
    schedule === undefined ? [] : [{ runnable: { kind: 'model', definition }, schedule, hash }],
  );
  const syncs = [...definitions.syncs.values()].flatMap(({ definition, hash, schedule }): Scheduled[] =>
    schedule === undefined ? [] : [{ runnable: { kind: 'sync', definition }, schedule, hash }],
  );
  return [...of, ...models, ...syncs];
}
