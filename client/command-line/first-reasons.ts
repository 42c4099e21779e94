import { MillraceError } from '../../schema/errors.ts';
import { openRowLines } from '../display/sync-books-report.ts';
import type { Runnable, RunOutcome } from '../runs.ts';
import type { OpenProject } from './project.ts';
import { withSyncBooks } from './sync-books.ts';

const shown = 5;

/** The first rows that a run of a sync left open, with their reasons; none where the books can't be read from here. */
export async function firstReasons(
  project: OpenProject,
  { kind, definition }: Runnable,
  { sync: report }: RunOutcome,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (kind !== 'sync' || report === undefined || report.rejected + report.unknown + report.invalid === 0) return [];
  const query = { project: project.name, sync: definition.name, limit: shown };
  try {
    const open = await withSyncBooks(project, definition, signal, (books, attempt) => books.listOpen(query, attempt));
    return [...open.flatMap(openRowLines), `All of them: millrace rejections ${definition.name}`];
  } catch (error) {
    if (error instanceof MillraceError) return [`Rows that were not taken, and why: millrace rejections ${definition.name}`];
    throw error;
  }
}
