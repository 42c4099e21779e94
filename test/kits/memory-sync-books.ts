import type { Hold, PlannedRow, RecordedRow, SyncBooks } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import { noSyncCounts, type SyncCounts, type SyncJob, type SyncRunName } from '../../schema/sync.ts';
import { memoryContext } from './memory-stores.ts';

/** Books of one run's plan in memory, for tests of what sends it. */
export interface MemorySyncBooks extends SyncBooks {
  readonly outcomes: ReadonlyMap<number, RecordedRow>;
  readonly sent: ReadonlySet<number>;
  readonly jobs: readonly SyncJob[];
  /** How often each was called. */
  readonly calls: Readonly<Record<'mark' | 'unmark' | 'prove' | 'record' | 'rows', number>>;
  /** Called before each record; may throw. */
  onRecord: (rows: readonly RecordedRow[]) => void | Promise<void>;
}

export const memoryRun: SyncRunName = {
  project: 'test',
  sync: 'things',
  runId: '00000000-0000-4000-8000-000000000000',
  workflowId: 'test/things',
  workflowRunId: '',
};

const missing = (): never => {
  throw new Error('books in memory have no such thing');
};

export function memorySyncBooks(plan: readonly PlannedRow[]): MemorySyncBooks {
  const outcomes = new Map<number, RecordedRow>();
  const sent = new Set(plan.filter((row) => row.sent).map(({ no }) => no));
  const calls = { mark: 0, unmark: 0, prove: 0, record: 0, rows: 0 };
  const jobs: SyncJob[] = [];
  let epoch = 0;
  let released = true;
  const prove = (hold: Hold): void => {
    if (hold.epoch !== epoch) throw new MillraceError('fenced', 'another attempt holds the books');
  };
  const counts = (): SyncCounts => {
    const count = (outcome: RecordedRow['outcome']): number => [...outcomes.values()].filter((row) => row.outcome === outcome).length;
    return {
      ...noSyncCounts,
      planned: plan.length,
      sent: outcomes.size,
      acknowledged: count('acknowledged'),
      rejected: count('rejected'),
      unknown: count('unknown'),
    };
  };
  const asNow = (row: PlannedRow): PlannedRow => ({ ...row, sent: sent.has(row.no) });
  const books: MemorySyncBooks = {
    ...memoryContext(),
    outcomes,
    sent,
    jobs,
    calls,
    onRecord: () => undefined,
    async hold(run) {
      epoch += 1;
      const wait = !released;
      released = false;
      return { run, epoch, wait };
    },
    async release(hold) {
      if (hold.epoch === epoch) released = true;
    },
    async rows(_run, from, limit) {
      calls.rows += 1;
      return plan
        .filter(({ no }) => no >= from && !outcomes.has(no))
        .slice(0, limit)
        .map(asNow);
    },
    rowsOf: async (_run, ranges) => plan.filter(({ no }) => ranges.some(([first, last]) => no >= first && no <= last)).map(asNow),
    async prove(hold) {
      calls.prove += 1;
      prove(hold);
    },
    noteJobs: async (hold, now) => {
      prove(hold);
      jobs.splice(0, jobs.length, ...now);
    },
    async mark(hold, nos) {
      calls.mark += 1;
      prove(hold);
      for (const no of nos) sent.add(no);
    },
    async unmark(hold, nos) {
      calls.unmark += 1;
      prove(hold);
      for (const no of nos) sent.delete(no);
    },
    async record(hold, rows) {
      calls.record += 1;
      await books.onRecord(rows);
      prove(hold);
      for (const row of rows) if (!outcomes.has(row.no)) outcomes.set(row.no, row);
      return counts();
    },
    end: async () => counts(),
    retain: async () => undefined,
    plan: missing,
    preview: missing,
    listOpen: missing,
    retryAt: missing,
    listRuns: missing,
    mappingChange: missing,
    explain: missing,
    [Symbol.asyncDispose]: async () => undefined,
  };
  return books;
}
