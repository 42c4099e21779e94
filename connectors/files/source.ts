import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { closest, distance } from 'fastest-levenshtein';
import type { Attempt, CheckReport, Source } from '../connector.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Stream } from '../../schema/stream.ts';
import { uniteColumns } from './columns.ts';
import { findFiles, type FoundFile } from './find-files.ts';
import { inspectAll, planFiles } from './plan-files.ts';
import { readFiles } from './read-files.ts';
import type { FilesReadOptions, FilesSettings } from './settings.ts';

/** Looked into when a stream of many files is described; the plan looks into all that it reads. */
const describedFiles = 20;

/** A folder of files as source. A stream is a path or a glob below the folder. */
export async function openSource(settings: FilesSettings): Promise<Source> {
  const folder = resolve(settings.path);
  return {
    check: () => checkFolder(folder),
    discover: async (patterns, attempt) => {
      await requireFolder(folder);
      return await permitted(
        patterns === undefined
          ? describeEach(folder, attempt)
          : Promise.all(patterns.map((pattern) => describeStream(folder, pattern, attempt))),
      );
    },
    plan: async (request, attempt) => {
      await requireFolder(folder);
      return await permitted(planFiles(folder, request, attempt));
    },
    read: (request, attempt) => permitted(readFiles(folder, request, attempt)),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Names the file that the worker's user may not read. */
async function permitted<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM'))) throw error;
    const path = 'path' in error && typeof error.path === 'string' ? error.path : 'a file';
    throw new MillraceError('auth', `The worker's user may not read ${path}. Grant it: chmod o+r, or a group.`, { cause: error });
  }
}

async function checkFolder(folder: string): Promise<CheckReport> {
  try {
    await requireFolder(folder);
    return { system: `folder ${folder}`, problems: [], warnings: [] };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return { system: `folder ${folder}`, problems: [error.message], warnings: [] };
  }
}

async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined)
    throw new MillraceError('not-found', `There is no folder ${folder} on this host. Make it, or correct path of the connection.`);
  if (!found.isDirectory()) throw new MillraceError('config', `${folder} is a file. Set path of the connection to its folder.`);
  await access(folder, constants.R_OK | constants.X_OK).catch((cause) => {
    throw new MillraceError('auth', `The worker's user may not read the folder ${folder}. Grant it: chmod o+rx, or a group.`, { cause });
  });
}

async function describeEach(folder: string, attempt: Attempt): Promise<readonly Stream[]> {
  const files = await findFiles(folder, '**');
  const known = files.filter((file) => /\.(csv|tsv|tab|txt|ndjson|jsonl|json|parquet)(\.gz)?$/i.test(file.path));
  const streams: Stream[] = [];
  for (const file of known) streams.push(await describeFiles(folder, file.path, [file], attempt));
  return streams;
}

async function describeStream(folder: string, pattern: string, attempt: Attempt): Promise<Stream> {
  const files = await findFiles(folder, pattern);
  if (files.length > 0) return describeFiles(folder, pattern, files, attempt);
  const others = (await findFiles(folder, '**')).map((file) => file.path);
  const near = others.length === 0 ? undefined : closest(pattern, others);
  const hint = near !== undefined && distance(near, pattern) <= Math.max(3, pattern.length / 3) ? ` The nearest is ${near}.` : '';
  throw new MillraceError('not-found', `No file matches ${pattern} in ${folder}.${hint}`);
}

/** Options of a stream aren't known here, so files that only they explain are described by a note. */
async function describeFiles(folder: string, name: string, files: readonly FoundFile[], attempt: Attempt): Promise<Stream> {
  const options: FilesReadOptions = {};
  try {
    const inspected = await inspectAll(folder, files.slice(-describedFiles), options, true, attempt);
    return { name, columns: uniteColumns(inspected.map((file) => file.columns)), key: [], notes: [] };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return { name, columns: [], key: [], notes: [error.message] };
  }
}
