import type { Application, Batch, Outcome, Polled } from '../connectors/application.ts';
import type { Attempt } from '../connectors/connector.ts';
import type { Hold, RecordedRow, SyncBooks } from '../connectors/sync-books.ts';
import { MillraceError } from '../schema/errors.ts';
import type { SyncCounts, SyncJob, SyncProgress } from '../schema/sync.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { openSync } from './open-sync.ts';
import type { SendInput } from './send-rows.ts';
import { isMarked, settlingOf } from './send/context.ts';
import { withHold } from './send/hold.ts';
import { outgoingRows } from './send/outgoing.ts';
import { patientAttempt } from './send/patient.ts';
import { usualPace, type Pace } from './send/pace.ts';

export interface PollInput extends SendInput {
  /** Rows that would have to be sent again are refused in place of it: that was often enough. */
  readonly lastChance: boolean;
}

interface Polling {
  readonly input: PollInput;
  readonly application: Application;
  readonly books: SyncBooks;
  readonly hold: Hold;
  readonly attempt: Attempt;
}

/** What the end of a job means for its rows. */
interface Ended {
  readonly recorded: readonly RecordedRow[];
  /** Numbers that are to be sent again, or settled. */
  readonly again: readonly number[];
}

async function batchOf({ input, application, books, hold, attempt }: Polling, job: SyncJob): Promise<Batch> {
  const rows = await books.rowsOf(hold.run, job.rows, attempt);
  return { operation: job.operation, rows: rows.map(outgoingRows(input.sync, input.columns, application.changedOnly)) };
}

const outcomeOf = (no: number, outcome: Extract<Outcome, { status: 'acknowledged' | 'rejected' }>): RecordedRow => {
  const { status, ...rest } = outcome;
  return { no, outcome: status, ...rest };
};

/** A row that can't be sent yet once more: what it could double is parked. */
function lastOutcome({ input, application }: Polling, { operation }: Batch, no: number, reason: string): RecordedRow {
  const parks = isMarked(settlingOf({ application, sync: input.sync }, operation));
  return { no, outcome: parks ? 'unknown' : 'rejected', reason };
}

function endOf(polling: Polling, batch: Batch, polled: Exclude<Polled, { after: number }>): Ended {
  const { lastChance, sync } = polling.input;
  const nos = batch.rows.map(({ no }) => no);
  if ('lost' in polled) {
    const recorded = lastChance ? nos.map((no) => lastOutcome(polling, batch, no, polled.lost)) : [];
    return { recorded, again: lastChance ? [] : nos };
  }
  if (polled.outcomes.length !== nos.length) {
    throw new Error(`sync ${sync.name}: ${polled.outcomes.length} outcomes for the ${nos.length} rows of a job`);
  }
  const recorded: RecordedRow[] = [];
  const again: number[] = [];
  polled.outcomes.forEach((outcome, at) => {
    const no = nos[at] ?? 0;
    if (outcome.status === 'acknowledged' || outcome.status === 'rejected') recorded.push(outcomeOf(no, outcome));
    else if (lastChance) recorded.push(lastOutcome(polling, batch, no, outcome.reason));
    else again.push(no);
  });
  return { recorded, again };
}

async function poll(polling: Polling): Promise<SyncProgress> {
  const { input, application, books, hold, attempt } = polling;
  const { progress, sync } = input;
  if (application.poll === undefined) {
    throw new MillraceError('config', `sync ${sync.name}: its application has jobs under way and none of it can be asked about`);
  }
  const batches = await Promise.all(progress.jobs.map((job) => batchOf(polling, job)));
  await books.prove(hold, attempt);
  const asked = progress.jobs.map(({ handle }, at) => ({ handle, batch: batches[at] ?? { operation: 'upsert' as const, rows: [] } }));
  const answers = await application.poll(asked, attempt);
  const jobs: SyncJob[] = [];
  const afters: number[] = [];
  let counts: SyncCounts = progress.counts;
  let position = progress.position;
  for (const [at, job] of progress.jobs.entries()) {
    const polled = answers[at];
    const batch = batches[at];
    if (batch === undefined || polled === undefined || 'after' in polled) {
      jobs.push(job);
      afters.push(polled !== undefined && 'after' in polled ? polled.after : progress.after);
      continue;
    }
    const { recorded, again } = endOf(polling, batch, polled);
    if (recorded.length > 0) counts = await books.record(hold, recorded, attempt);
    position = again.reduce((least, no) => Math.min(least, no), position);
    attempt.beat();
  }
  return { position, jobs, counts, sent: progress.sent && position === progress.position, after: Math.min(...afters, 60_000) };
}

/** Asks about a sync's jobs, and records what became of their rows; those to be sent again get their turn by the position. */
export const createPollJobs = (deps: Dependencies, pace: Pace = usualPace) =>
  async function pollJobs(input: PollInput): Promise<SyncProgress> {
    const attempt = currentAttempt(input.run.runId, 'poll');
    await using opened = await openSync(deps, input.sync, input.planned);
    await using ledger = await deps.openSyncBooks(input.sync.state);
    const { application } = opened;
    const { requestTimeout } = application.limits;
    using patient = patientAttempt(attempt, requestTimeout);
    const patience = { attempt, patient, wait: requestTimeout + pace.lease, progress: undefined };
    return await withHold(ledger, input.run, patience, (hold) => poll({ input, application, books: ledger, hold, attempt: patient }));
  };
