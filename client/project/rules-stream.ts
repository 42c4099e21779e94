import { connectionKinds } from '../../connectors/settings.ts';
import type { PipelineSettings } from '../../schema/project.ts';
import type { StreamSettings } from '../../schema/project-stream.ts';
import { wrong, type Finding, type Path } from './finding.ts';
import { mergedStream } from './merge.ts';
import { connectionNamed } from './rules-connection.ts';
import type { ProjectFile } from './schema.ts';
import { validate } from './validate.ts';

interface StreamInPlace {
  readonly project: ProjectFile;
  readonly pipeline: PipelineSettings;
  readonly stream: string;
  readonly settings: StreamSettings;
  readonly path: Path;
}

/** Settings of one stream that don't go together, or that its source doesn't know. */
export function streamFindings(place: StreamInPlace): readonly Finding[] {
  const merged = mergedStream(place.project.defaults, place.settings);
  const kind = connectionNamed(place.project, place.pipeline.from)?.type;
  return [
    ...cursorFindings(place.path, merged),
    ...deleteFindings(place.path, merged),
    ...findingsByKind(kind)(place, merged),
    ...(kind === undefined ? [] : readFindings(place, connectionKinds[kind].readOptions)),
  ];
}

type KindFindings = (place: StreamInPlace, stream: StreamSettings) => readonly Finding[];

function findingsByKind(kind: keyof typeof connectionKinds | undefined): KindFindings {
  if (kind === 'files') return filesFindings;
  return kind === 'ingest' ? ingestFindings : databaseFindings;
}

/** Events are gone from the gateway's disk once they are loaded. */
function ingestFindings({ path, pipeline, stream: name }: StreamInPlace, { mode = 'replace', cursor }: StreamSettings): readonly Finding[] {
  return [
    ...(name === pipeline.from
      ? []
      : [wrong(path, `is no stream: events of ${pipeline.from} are the one stream "${pipeline.from}".`, 'name')]),
    ...(mode === 'replace' ? [wrong(path, 'needs "mode: append": events come once, and each load brings the new ones.')] : []),
    ...(cursor === undefined ? [] : [wrong([...path, 'cursor'], 'is for tables: events are read as they came.')]),
  ];
}

function cursorFindings(path: Path, stream: StreamSettings): readonly Finding[] {
  if (stream.cursor !== undefined && (stream.mode ?? 'replace') === 'replace') {
    return [
      wrong([...path, 'cursor'], 'means nothing with mode replace, which reads everything: take it out, or use append, merge or history.'),
    ];
  }
  if (stream.cursor !== undefined) return [];
  return (['look_back', 'null_cursor'] as const)
    .filter((name) => stream[name] !== undefined)
    .map((name) => wrong([...path, name], 'needs a cursor.'));
}

function deleteFindings(path: Path, stream: StreamSettings): readonly Finding[] {
  const { mode = 'replace', deletes = 'keep', cursor, reconcile } = stream;
  const infers = deletes !== 'keep';
  if (infers && mode !== 'merge' && mode !== 'history') {
    const why = mode === 'replace' ? 'replace shows what the source has anyway' : 'append keeps every row';
    return [wrong([...path, 'deletes'], `goes with merge and history: ${why}.`)];
  }
  return infers && cursor !== undefined ? unseenDeletes(path, reconcile) : needlessReconcile(path, reconcile);
}

function unseenDeletes(path: Path, reconcile: string | undefined): readonly Finding[] {
  if (reconcile !== undefined) return [];
  return [wrong([...path, 'deletes'], 'with a cursor needs reconcile, as in "reconcile: daily": an increment does not see deletes.')];
}

function needlessReconcile(path: Path, reconcile: string | undefined): readonly Finding[] {
  if (reconcile === undefined) return [];
  return [wrong([...path, 'reconcile'], 'finds deletes of a merge with a cursor: it needs cursor, and deletes: mark or remove.')];
}

function filesFindings({ path }: StreamInPlace, stream: StreamSettings): readonly Finding[] {
  const { mode = 'replace', key, cursor } = stream;
  return [
    ...((mode === 'merge' || mode === 'history') && key === undefined
      ? [wrong(path, `needs a key: files have none, and mode ${mode} goes by it.`)]
      : []),
    ...(cursor === undefined ? [] : [wrong([...path, 'cursor'], 'is for tables: files are read when they are new or have changed.')]),
  ];
}

function databaseFindings({ path, stream }: StreamInPlace, settings: StreamSettings): readonly Finding[] {
  const pattern = stream.includes('*');
  return [
    ...(settings.mode === 'append' && settings.cursor === undefined
      ? [wrong(path, 'needs a cursor: mode append reads what came after the last run. To read everything each time, use replace.')]
      : []),
    ...(pattern && settings.into !== undefined
      ? [wrong([...path, 'into'], 'names one table, but the pattern may match many: take it out, or name the stream.')]
      : []),
    ...(!pattern && settings.except !== undefined ? [wrong([...path, 'except'], 'goes with a pattern; this stream is one.')] : []),
  ];
}

function readFindings({ settings, path }: StreamInPlace, options: Parameters<typeof validate>[0]): readonly Finding[] {
  if (settings.read === undefined) return [];
  const validated = validate(options, settings.read);
  return 'findings' in validated ? validated.findings.map((found) => ({ ...found, path: [...path, 'read', ...found.path] })) : [];
}
