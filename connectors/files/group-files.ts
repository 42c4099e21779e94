import type { PlanRequest } from '../connector.ts';
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
export function groupFiles(
  files: readonly InspectedFile[],
  definition: StreamDefinition,
  { maxPartitions, partitionBytes }: Pick<PlanRequest, 'maxPartitions' | 'partitionBytes'>,
): GroupedFiles {
  if (files.length <= maxPartitions) return { groups: files.map((file) => [file]), waiting: new Set() };
  const alike = new Map<string, InspectedFile[]>();
  for (const [index, file] of files.entries()) {
    const form = formOf(file) ?? `file ${index}`;
    alike.set(form, [...(alike.get(form) ?? []), file]);
  }
  if (alike.size <= maxPartitions) {
    const least = sizeOf(files) / Math.max(maxPartitions - alike.size, 1);
    return { groups: [...alike.values()].flatMap((set) => cut(set, Math.max(partitionBytes, least))), waiting: new Set() };
  }
  if (definition.mode === 'replace' || definition.deletes !== 'keep') throw tooMany(files.length, maxPartitions, definition.stream);
  const [now, later] = [files.slice(0, maxPartitions), files.slice(maxPartitions)];
  return { groups: now.map((file) => [file]), waiting: new Set(later.map((file) => file.file.path)) };
}

/** Files with the same form can stand one behind the other in one staged file. */
function formOf({ dialect }: InspectedFile): string | undefined {
  if (dialect.type === 'csv') return JSON.stringify({ ...dialect, columns: dialect.columns.map((name) => name.toLowerCase()) });
  return dialect.type === 'ndjson' ? 'ndjson' : undefined;
}

/** Cuts files into pieces of at least so many bytes; the last one may have less. */
function cut(files: readonly InspectedFile[], bytes: number): readonly (readonly InspectedFile[])[] {
  const pieces: InspectedFile[][] = [];
  let room = 0;
  for (const file of files) {
    if (room <= 0) {
      pieces.push([]);
      room = bytes;
    }
    pieces.at(-1)?.push(file);
    room -= file.file.size;
  }
  return pieces;
}

function sizeOf(files: readonly InspectedFile[]): number {
  return files.reduce((sum, { file }) => sum + file.size, 0);
}

function tooMany(files: number, maxPartitions: number, stream: string): MillraceError {
  return new MillraceError(
    'config',
    `Stream ${stream} has ${files} files, and of JSON arrays and Parquet one run reads at most ${maxPartitions}. Use mode append or merge with deletes: keep, which read them over several runs, or split the pattern into several streams.`,
  );
}
