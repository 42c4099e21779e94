import { performance } from 'node:perf_hooks';
import type { Attempt } from '../../connectors/connector.ts';
import type { Hold, RecordedRow, SyncBooks } from '../../connectors/sync-books.ts';
import type { SyncCounts } from '../../schema/sync.ts';

/** Rows that wait for their record; more hold back what is sent. */
const mostWaiting = 20_000;

/** Some applications repeat what they refuse. */
const longestReason = 1000;
const shortened = (row: RecordedRow, reason: string): RecordedRow => ({ ...row, reason: `${reason.slice(0, longestReason)}…` });

/** Writes the books in the background: what waits goes in one transaction, and each is a proof of the hold. */
export interface LedgerWriter {
  /** Resolves when the rows are noted as sent. */
  mark(nos: readonly number[]): Promise<void>;
  unmark(nos: readonly number[]): Promise<void>;
  /** Resolves when the hold was proved within the lease, with the end of that lease in milliseconds of `performance.now()`. Throws `fenced`. */
  prove(): Promise<number>;
  /** Takes outcomes, to be written soon. */
  record(rows: readonly RecordedRow[]): void;
  /** Resolves when few enough rows wait. */
  room(): Promise<void>;
  /** Resolves when everything is written. */
  flush(): Promise<void>;
  counts(): SyncCounts;
  /** Milliseconds that the present statement takes; 0 between statements. */
  busyFor(): number;
}

export interface LedgerWriterOptions {
  readonly books: Pick<SyncBooks, 'mark' | 'unmark' | 'prove' | 'record'>;
  readonly hold: Hold;
  readonly attempt: Attempt;
  readonly lease: number;
  /** Those known at first. */
  readonly counts: SyncCounts;
  /** Called when outcomes are durable. */
  readonly onRecorded: (rows: readonly RecordedRow[]) => void;
  /** Called once, when a statement failed; nothing is written after it. */
  readonly onFailure: (error: unknown) => void;
}

interface Ask {
  readonly kind: 'mark' | 'unmark' | 'prove';
  readonly nos: readonly number[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function openLedgerWriter(options: LedgerWriterOptions): LedgerWriter {
  const { books, hold, attempt, lease } = options;
  let { counts } = options;
  let waiting: RecordedRow[] = [];
  let asks: Ask[] = [];
  let emptied: (() => void)[] = [];
  let running: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  // The hold was taken just now.
  let provedAt = performance.now();
  let busySince: number | undefined;

  const statement = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    const startedAt = performance.now();
    busySince = startedAt;
    const result = await run();
    provedAt = startedAt;
    busySince = undefined;
    return result;
  };
  const answer = async (asked: readonly Ask[]): Promise<void> => {
    const nosOf = (kind: Ask['kind']): number[] => asked.filter((ask) => ask.kind === kind).flatMap(({ nos }) => nos);
    const [marks, unmarks] = [nosOf('mark'), nosOf('unmark')];
    if (marks.length > 0) await statement(() => books.mark(hold, marks, attempt));
    if (unmarks.length > 0) await statement(() => books.unmark(hold, unmarks, attempt));
    if (performance.now() - provedAt >= lease) await statement(() => books.prove(hold, attempt));
  };
  const write = async (): Promise<void> => {
    while (waiting.length > 0 || asks.length > 0) {
      const [rows, asked] = [waiting, asks];
      [waiting, asks] = [[], []];
      try {
        if (asked.length > 0) await answer(asked);
        for (const { resolve } of asked) resolve();
        if (rows.length > 0) counts = await statement(() => books.record(hold, rows, attempt));
      } catch (error) {
        failure = { error };
        for (const { reject } of [...asked, ...asks]) reject(error);
        [waiting, asks] = [[], []];
        options.onFailure(error);
        return;
      } finally {
        for (const wake of emptied.splice(0)) wake();
      }
      options.onRecorded(rows);
    }
  };
  const kick = (): void => {
    running ??= write().finally(() => {
      running = undefined;
      if (waiting.length > 0 || asks.length > 0) kick();
    });
  };
  const ask = async (kind: Ask['kind'], nos: readonly number[]): Promise<void> => {
    if (failure !== undefined) throw failure.error;
    await new Promise<void>((resolve, reject) => {
      asks.push({ kind, nos, resolve, reject });
      kick();
    });
  };
  return {
    mark: (nos) => ask('mark', nos),
    unmark: (nos) => ask('unmark', nos),
    async prove() {
      if (failure !== undefined) throw failure.error;
      if (performance.now() - provedAt >= lease) await ask('prove', []);
      return provedAt + lease;
    },
    record(rows) {
      if (failure !== undefined || rows.length === 0) return;
      for (const row of rows)
        waiting.push(row.reason === undefined || row.reason.length <= longestReason ? row : shortened(row, row.reason));
      kick();
    },
    async room() {
      while (waiting.length > mostWaiting && failure === undefined) await new Promise<void>((resolve) => emptied.push(resolve));
    },
    async flush() {
      while (running !== undefined) await running;
      if (failure !== undefined) throw failure.error;
    },
    counts: () => counts,
    busyFor: () => (busySince === undefined ? 0 : performance.now() - busySince),
  };
}
