import type { Attempt } from '../../connectors/connector.ts';
import type { Application } from '../../connectors/application.ts';
import type { Hold, PlannedRow } from '../../connectors/sync-books.ts';
import { patientAttempt } from '../../activities/send/patient.ts';
import type { Pace } from '../../activities/send/pace.ts';
import { sendSlice, type Sliced } from '../../activities/send/send-slice.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { noSyncCounts, type SyncProgress } from '../../schema/sync.ts';
import { openLedgered, type Ledgered, type LedgeredSettings } from '../fakes/ledgered.ts';
import { defineSync } from '../kits/sync-definition.ts';
import { memoryRun, memorySyncBooks, type MemorySyncBooks } from '../kits/memory-sync-books.ts';
import { testAttempt } from '../kits/source.ts';

/** Waits of tests: short. */
const testPace: Pace = { slice: 10_000, lease: 200, pause: () => 20, longestPause: 200, sends: 6, tries: 4 };

/** Rows `k1`, `k2`, … of one operation, as a plan has them. */
export const planOf = (count: number, more: Partial<PlannedRow> = {}): readonly PlannedRow[] =>
  Array.from({ length: count }, (_, at) => ({
    no: at + 1,
    key: `k${at + 1}`,
    change: 'added',
    operation: 'upsert',
    values: JSON.stringify([`k${at + 1}`, `value ${at + 1}`]),
    changed: null,
    remoteId: null,
    sent: false,
    idempotencyKey: `i-${at + 1}`,
    ...more,
  }));

export interface Sending {
  readonly books: MemorySyncBooks;
  readonly application: Application;
  readonly planned: number;
  /** One step; the hold is taken anew. */
  slice(more?: {
    readonly progress?: SyncProgress;
    readonly hold?: Hold;
    readonly attempt?: Attempt;
    readonly stubborn?: boolean;
  }): Promise<Sliced>;
  /** Steps until everything is sent; throws what stopped one. */
  all(): Promise<SyncProgress>;
}

export interface SendingOptions {
  readonly settings?: Partial<LedgeredSettings>;
  readonly sync?: Partial<SyncDefinition>;
  readonly pace?: Partial<Pace>;
}

export const atFirst: SyncProgress = { position: 0, jobs: [], counts: noSyncCounts, sent: false, after: 0 };

/** The sending of a plan to a fake application, over books in memory. */
export function sendingOf(ledgered: Ledgered, plan: readonly PlannedRow[], options: SendingOptions = {}): Sending {
  const books = memorySyncBooks(plan);
  const application = openLedgered({ url: ledgered.url, settles: { upsert: 'upsert' }, requestTimeout: 300, ...options.settings });
  const sync = defineSync(options.sync);
  const sending: Sending = {
    books,
    application,
    planned: plan.length,
    async slice({ progress = atFirst, hold, attempt = testAttempt(), stubborn = false } = {}) {
      return await sendSlice({
        sync,
        columns: [
          { name: 'key', type: 'text' },
          { name: 'value', type: 'text' },
        ],
        planned: plan.length,
        progress,
        application,
        books,
        ledger: books,
        hold: hold ?? (await books.hold(memoryRun, attempt)),
        attempt,
        patient: patientAttempt(attempt, 300),
        pace: { ...testPace, ...options.pace },
        stubborn,
      });
    },
    async all() {
      for (let progress = atFirst; ;) {
        const sliced = await sending.slice({ progress });
        if (sliced.stopped !== undefined) throw sliced.stopped.error;
        progress = sliced.progress;
        if (progress.sent) return progress;
      }
    },
  };
  return sending;
}
