import type { StreamDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { InspectedFile } from './inspect.ts';

/** Files by partition, and the paths of those that are left for the next run. */
export interface GroupedFiles {
  readonly groups: readonly (readonly InspectedFile[])[];
  readonly waiting: ReadonlySet<string>;
}

/**
 * One partition for each file; when there are more files than partitions, CSV and NDJSON files of one form are read as one, in order.
 * JSON arrays and Parquet files can't be: `append`, `merge` and `history` leave what is too much to the next run, `replace` throws `config`.
 */
export function groupFiles(files: readonly InspectedFile[], maxPartitions: number, definition: StreamDefinition): GroupedFiles {
  if (files.length <= maxPartitions) return { groups: files.map((file) => [file]), waiting: new Set() };
  const alike = new Map<string, InspectedFile[]>();
  for (const [index, file] of files.entries()) {
    const form = formOf(file) ?? `file ${index}`;
    alike.set(form, [...(alike.get(form) ?? []), file]);
  }
  if (alike.size <= maxPartitions) return { groups: spread([...alike.values()], maxPartitions, files.length), waiting: new Set() };
  if (definition.mode === 'replace' || definition.deletes !== 'keep') throw tooMany(files.length, maxPartitions, definition.stream);
  const [now, later] = [files.slice(0, maxPartitions), files.slice(maxPartitions)];
  return { groups: now.map((file) => [file]), waiting: new Set(later.map((file) => file.file.path)) };
}

/** Files with the same form can stand one behind the other in one staged file. */
function formOf({ dialect }: InspectedFile): string | undefined {
  if (dialect.type === 'csv') return JSON.stringify({ ...dialect, columns: dialect.columns.map((name) => name.toLowerCase()) });
  return dialect.type === 'ndjson' ? 'ndjson' : undefined;
}

/** Cuts each set of like files into pieces of about equal count, so that there are at most `maxPartitions` in all. */
function spread(sets: readonly (readonly InspectedFile[])[], maxPartitions: number, count: number): readonly (readonly InspectedFile[])[] {
  const size = Math.ceil(count / Math.max(maxPartitions - sets.length, 1));
  return sets.flatMap((set) =>
    Array.from({ length: Math.ceil(set.length / size) }, (_, index) => set.slice(index * size, (index + 1) * size)),
  );
}

function tooMany(files: number, maxPartitions: number, stream: string): MillraceError {
  return new MillraceError(
    'config',
    `Stream ${stream} has ${files} files, and of JSON arrays and Parquet one run reads at most ${maxPartitions}. Use mode append or merge with deletes: keep, which read them over several runs, or split the pattern into several streams.`,
  );
}
