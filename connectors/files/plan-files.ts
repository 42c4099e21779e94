import { z } from 'zod';
import type { Attempt, PlanRequest, SourcePlan } from '../connector.ts';
import type { Column } from '../../schema/column.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { FileDialect } from '../../schema/load.ts';
import type { Partition } from '../../schema/stream.ts';
import { chooseFiles } from './choose-files.ts';
import { uniteColumns } from './columns.ts';
import { parseCursor } from './cursor.ts';
import { findFiles, type FoundFile } from './find-files.ts';
import { groupFiles } from './group-files.ts';
import { type InspectedFile, inspectFile } from './inspect.ts';
import { filesReadOptions, type FilesReadOptions } from './settings.ts';

const filesAtOnce = 4;

/** What a partition reads: files of one dialect, one after the other. */
export const rangeSchema = z.strictObject({
  files: z.array(
    z.strictObject({
      file: z.strictObject({ path: z.string(), size: z.number(), modified: z.string(), inode: z.string() }),
      gzip: z.boolean(),
      encoding: z.enum(['utf-8', 'utf-16le', 'utf-16be', 'windows-1252']),
    }),
  ),
});
export type FilesRange = z.infer<typeof rangeSchema>;

/** Checks the options of a stream. Throws `config` naming the option. */
function parseOptions(read: unknown, stream: string): FilesReadOptions {
  const parsed = filesReadOptions.safeParse(read);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${['read', ...issue.path].join('.')}: ${issue.message}`);
  throw new MillraceError('config', `Stream ${stream}: ${problems.join('; ')}`);
}

/** Inspects files a few at a time, in their order. */
export async function inspectAll(
  folder: string,
  files: readonly FoundFile[],
  options: FilesReadOptions,
  sample: boolean,
  attempt: Attempt,
): Promise<readonly InspectedFile[]> {
  const inspected: InspectedFile[] = [];
  for (let at = 0; at < files.length; at += filesAtOnce) {
    const several = files.slice(at, at + filesAtOnce);
    inspected.push(...(await Promise.all(several.map((file) => inspectFile(folder, file, options, sample, attempt)))));
  }
  return inspected;
}

/** Plans a stream of files: which to read, in which dialects, as which columns. */
export async function planFiles(folder: string, request: PlanRequest, attempt: Attempt): Promise<SourcePlan> {
  const { definition, stream } = request;
  if (request.window !== undefined) {
    throw new MillraceError(
      'config',
      `Stream ${stream.name} consists of files and has no window to read again. Run it with --full-refresh.`,
    );
  }
  const cursor = parseCursor(request.cursor);
  const found = await findWanted(folder, stream.name, definition.except);
  const chosen = chooseFiles(found, cursor, definition);
  const inspected = await inspectAll(folder, chosen.files, parseOptions(definition.read, stream.name), false, attempt);
  const columns = uniteColumns([cursor.columns, ...inspected.map((file) => file.columns)]);
  const { groups, waiting } = groupFiles(inspected.filter(hasColumns), definition, request);
  const read = chosen.files.filter((file) => !waiting.has(file.path));
  return {
    partitions: groups.map((group, index) => toPartition(group, index, columns)),
    format: 'foreign',
    columns,
    stepsTaken: 0,
    nextCursor: definition.mode === 'replace' ? null : cursor.after(read, columns),
    complete: chosen.complete && waiting.size === 0,
    notes: [...planNotes(inspected, columns), ...waitingNotes(waiting.size, request.maxPartitions)],
    identity: `files:${folder}`,
    estimatedRows: inspected.reduce((sum, file) => sum + (waiting.has(file.file.path) ? 0 : file.rows), 0),
  };
}

async function findWanted(folder: string, pattern: string, except: readonly string[]): Promise<readonly FoundFile[]> {
  const left = await Promise.all(except.map((other) => findFiles(folder, other)));
  const paths = new Set(left.flat().map((file) => file.path));
  return (await findFiles(folder, pattern)).filter((file) => !paths.has(file.path));
}

function hasColumns(file: InspectedFile): boolean {
  return file.columns.length > 0;
}

function toPartition(group: readonly InspectedFile[], index: number, columns: readonly Column[]): Partition {
  const [first] = group;
  if (first === undefined) throw new TypeError('a partition without files');
  const range: FilesRange = { files: group.map(({ file, gzip, encoding }) => ({ file, gzip, encoding })) };
  return {
    no: index,
    label: group.length === 1 ? first.file.path : `${first.file.path} and ${group.length - 1} more`,
    range,
    format: { kind: 'foreign', dialect: spelled(first.dialect, columns) },
  };
}

/** Names of a CSV file as the stream spells them: files may differ in upper and lower case. */
function spelled(dialect: FileDialect, columns: readonly Column[]): FileDialect {
  if (dialect.type !== 'csv') return dialect;
  const spelling = new Map(columns.map((column) => [column.name.toLowerCase(), column.name]));
  return { ...dialect, columns: dialect.columns.map((name) => spelling.get(name.toLowerCase()) ?? name) };
}

const mostNotes = 20;

function planNotes(inspected: readonly InspectedFile[], columns: readonly Column[]): readonly string[] {
  const notes = inspected.flatMap((file) => (file.columns.length === 0 ? [`${file.file.path}: is empty`] : file.notes));
  const lacking = inspected.filter(hasColumns).flatMap((file) => {
    const names = new Set(file.columns.map((column) => column.name.toLowerCase()));
    const missing = columns.filter((column) => !names.has(column.name.toLowerCase())).map((column) => column.name);
    return missing.length === 0 ? [] : [`${file.file.path}: has no ${missing.join(', ')}, NULL in its rows`];
  });
  const all = [...notes, ...lacking];
  return all.length <= mostNotes ? all : [...all.slice(0, mostNotes), `${all.length - mostNotes} more notes on files`];
}

function waitingNotes(waiting: number, maxPartitions: number): readonly string[] {
  return waiting === 0 ? [] : [`${waiting} files wait for the next run: one run reads at most ${maxPartitions} of their format`];
}
