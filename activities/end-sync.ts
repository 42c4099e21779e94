import { log } from '@temporalio/activity';
import type { Attempt } from '../connectors/connector.ts';
import type { SyncBooks } from '../connectors/sync-books.ts';
import type { OpenRow } from '../schema/sync-books.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { SyncCounts, SyncRunName } from '../schema/sync.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';

export interface EndSyncInput {
  readonly run: SyncRunName;
  readonly sync: SyncDefinition;
  /** Why the run failed; absent when it didn't. */
  readonly failure?: string;
}

export interface EndedSync {
  readonly counts: SyncCounts;
  /** Why rows are open, the most frequent first; without values of rows. */
  readonly reasons: readonly string[];
  /** When the first of the refused rows may be sent again, in milliseconds since 1970; null when none may. */
  readonly retryAt: number | null;
}

const day = 86_400_000;
const looksAt = 200;
const shows = 5;

/** What applications quote is mostly of the row: it has no place in Temporal. */
const withoutValues = (reason: string): string =>
  reason
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '…')
    .replace(/[^\s@<>]+@[^\s@<>]+/g, '…')
    .replace(/\d{3,}/g, '…')
    .slice(0, 200);

/** The reasons of open rows, each with the number of its rows. */
function reasonsOf(open: readonly OpenRow[]): readonly string[] {
  const rows = new Map<string, number>();
  for (const { outcome, reason, code } of open) {
    const said = `${outcome}: ${code === null ? '' : `${code}: `}${withoutValues(reason ?? 'no reason given')}`;
    rows.set(said, (rows.get(said) ?? 0) + 1);
  }
  const ordered = [...rows].toSorted(([, a], [, b]) => b - a).slice(0, shows);
  const atLeast = open.length === looksAt ? 'at least ' : '';
  return ordered.map(([said, count]) => `${atLeast}${count} × ${said}`);
}

/**
 * Closes the books of a run. What they keep no longer is deleted once a day at most for each worker; that must not hold up the end
 * of a run, and tomorrow is early enough.
 */
export function createEndSync(deps: Dependencies): (input: EndSyncInput) => Promise<EndedSync> {
  const triedAt = new Map<string, number>();
  const retain = async (books: SyncBooks, sync: SyncDefinition, attempt: Attempt): Promise<void> => {
    const key = `${sync.project}/${sync.name}`;
    if (Date.now() - (triedAt.get(key) ?? 0) < day) return;
    triedAt.set(key, Date.now());
    try {
      await books.retain(sync, attempt);
    } catch (error) {
      log.warn('the books of a sync were not shortened', { error: error instanceof Error ? deps.scrub(error.message) : '' });
    }
  };
  return async function endSync({ run, sync, failure }) {
    const attempt = currentAttempt(run.runId, 'end');
    await using books = await deps.openSyncBooks(sync.state);
    const counts = await books.end(run, failure, attempt);
    await retain(books, sync, attempt);
    const open = await books.listOpen({ project: sync.project, sync: sync.name, limit: looksAt }, attempt);
    const isNews = counts.rejected + counts.unknown + counts.invalid > 0;
    const reasons = isNews ? reasonsOf(open).map((reason) => deps.scrub(reason)) : [];
    return { counts, reasons, retryAt: await books.retryAt({ project: sync.project, sync: sync.name }, attempt) };
  };
}
