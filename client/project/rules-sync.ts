import { connectionKinds } from '../../connectors/settings.ts';
import type { SyncSettings } from '../../schema/project-sync.ts';
import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import { listOf } from './merge.ts';
import { alertFindings, lateFindings } from './rules-alert.ts';
import { connectionFindings, connectionNamed } from './rules-connection.ts';
import type { ProjectFile } from './schema.ts';
import { destinationOf, mapOf, matchOf } from './sync-definitions.ts';
import { validate } from './validate.ts';

/** What is wrong with the syncs: their models, where they write, how columns and fields go together. */
export function syncFindings(project: ProjectFile): readonly Finding[] {
  return Object.entries(project.syncs ?? {}).flatMap(([name, sync]) => {
    const path: Path = ['syncs', name];
    return [
      ...modelFindings(project, sync, [...path, 'from']),
      ...connectionFindings(project, destinationOf(sync).connection, [...path, 'to'], 'application'),
      ...stateFindings(project, sync, [...path, 'state', 'connection']),
      ...modeFindings(sync, path),
      ...fieldFindings(project, sync, path),
      ...writeFindings(project, sync, [...path, 'write']),
      ...alertFindings(project, sync.alerts, [...path, 'alerts']),
      ...lateFindings(sync, path, 'sync'),
    ];
  });
}

function modelFindings(project: ProjectFile, { from }: SyncSettings, path: Path): readonly Finding[] {
  const models = project.models ?? {};
  if (!Object.hasOwn(models, from)) {
    const isPipeline = Object.hasOwn(project.pipelines ?? {}, from);
    const what = isPipeline ? 'a pipeline; a sync reads a model' : 'which is no model';
    return [wrong(path, `names "${from}", ${what}.${suggestion(from, Object.keys(models))}`)];
  }
  if (models[from]?.key !== undefined) return [];
  return [wrong(path, `names the model "${from}", which has no key: write there "key:" and the column or columns that identify a row.`)];
}

function stateFindings(project: ProjectFile, { state }: SyncSettings, path: Path): readonly Finding[] {
  if (state === undefined) return [];
  const connection = connectionNamed(project, state.connection);
  if (connection === undefined || connection.type === 'postgres') return connectionFindings(project, state.connection, path, 'warehouse');
  return [wrong(path, `names "${state.connection}", a ${connection.type} connection; the books of a sync are in a postgres database.`)];
}

function modeFindings(sync: SyncSettings, path: Path): readonly Finding[] {
  const { mode = 'upsert', deletes } = sync;
  const writesNothing = mapOf(sync).length === 0;
  return [
    ...(deletes !== undefined && mode !== 'mirror'
      ? [wrong([...path, 'deletes'], `goes with mode mirror: mode ${mode} leaves alone what has left the model.`)]
      : []),
    ...(mode === 'update' && writesNothing ? [wrong(path, 'needs "map": mode update has nothing to write without it.')] : []),
    ...(mode === 'mirror' && deletes === 'clear' && writesNothing
      ? [wrong([...path, 'deletes'], 'empties the mapped fields: it needs "map".')]
      : []),
  ];
}

interface Use {
  readonly column: string;
  readonly field: string;
  readonly path: Path;
}

/** Every field is written by one column; what finds an object isn't written to it as well. */
function fieldFindings(project: ProjectFile, sync: SyncSettings, path: Path): readonly Finding[] {
  const key = listOf(project.models?.[sync.from]?.key);
  const place = (part: 'match' | 'map', column: string, index: number): Path =>
    sync[part] === undefined ? path : [...path, part, Array.isArray(sync[part]) ? index : column];
  const uses = (part: 'match' | 'map', pairs: readonly { readonly column: string; readonly field: string }[]): readonly Use[] =>
    pairs.map(({ column, field }, index) => ({ column, field, path: place(part, column, index) }));
  const matched = uses('match', matchOf(sync, key));
  const mapped = uses('map', mapOf(sync));
  return [
    ...twice(matched, ({ field }) => `matches the field "${field}" a second time: a field finds an object by one column.`),
    ...twice(mapped, ({ field }) => `writes the field "${field}" a second time: a field takes one column.`),
    ...mapped
      .filter(({ field }) => matched.some((match) => match.field === field))
      .map((use) =>
        wrong(use.path, `writes the field "${use.field}", which finds the object: it has that value already, so leave it out.`),
      ),
    ...(sync.match !== undefined && matched.length === 0 ? [wrong([...path, 'match'], 'must name at least one column.')] : []),
  ];
}

function twice(uses: readonly Use[], message: (use: Use) => string): readonly Finding[] {
  const again = uses.filter(({ field }, index) => uses.findIndex((use) => use.field === field) !== index);
  return again.map((use) => wrong(use.path, message(use)));
}

function writeFindings(project: ProjectFile, sync: SyncSettings, path: Path): readonly Finding[] {
  const kind = connectionNamed(project, destinationOf(sync).connection)?.type;
  if (sync.write === undefined || kind === undefined) return [];
  const validated = validate(connectionKinds[kind].writeOptions, sync.write);
  return 'findings' in validated ? validated.findings.map((found) => ({ ...found, path: [...path, ...found.path] })) : [];
}
