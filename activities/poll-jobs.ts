import { activityInfo } from '@temporalio/activity';
import type { Application, Batch, Outcome, Polled } from '../connectors/application.ts';
import type { Attempt } from '../connectors/connector.ts';
import type { Hold, RecordedRow, SyncBooks } from '../connectors/sync-books.ts';
import { MillraceError } from '../schema/errors.ts';
import type { SyncCounts, SyncJob, SyncProgress } from '../schema/sync.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { openSync } from './open-sync.ts';
import type { SendInput } from './send-rows.ts';
import { isMarked, jobsOf, settlingOf } from './send/context.ts';
import { countsNow, tellWait, withHold } from './send/hold.ts';
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
  /** Those of them that surely had no effect. */
  readonly untouched: readonly number[];
}

async function batchOf({ input, application, books, hold, attempt }: Polling, job: SyncJob): Promise<Batch> {
  const rows = await books.rowsOf(hold.run, job.rows, attempt);
  return { operation: job.operation, rows: rows.map(outgoingRows(input.sync, input.columns, application.changedOnly)) };
}

const outcomeOf = (no: number, outcome: Extract<Outcome, { status: 'acknowledged' | 'rejected' }>): RecordedRow => {
  const { status, ...rest } = outcome;
  return { no, outcome: status, ...rest };
};

const isNoted = ({ input, application }: Polling, { operation }: Batch): boolean =>
  isMarked(settlingOf({ application, sync: input.sync }, operation));

function endOf(polling: Polling, batch: Batch, polled: Exclude<Polled, { after: number }>): Ended {
  const { lastChance, sync } = polling.input;
  const nos = batch.rows.map(({ no }) => no);
  // A row that can't be sent yet once more: what that could double is parked.
  const missing = isNoted(polling, batch) ? 'unknown' : 'rejected';
  if ('lost' in polled) {
    const recorded = lastChance ? nos.map((no): RecordedRow => ({ no, outcome: missing, reason: polled.lost })) : [];
    return { recorded, again: lastChance ? [] : nos, untouched: [] };
  }
  if (polled.outcomes.length !== nos.length) {
    throw new Error(`sync ${sync.name}: ${polled.outcomes.length} outcomes for the ${nos.length} rows of a job`);
  }
  const recorded: RecordedRow[] = [];
  const again: number[] = [];
  const untouched: number[] = [];
  polled.outcomes.forEach((outcome, at) => {
    const no = nos[at] ?? 0;
    if (outcome.status === 'acknowledged' || outcome.status === 'rejected') recorded.push(outcomeOf(no, outcome));
    else if (lastChance) recorded.push({ no, outcome: outcome.status === 'again' ? 'rejected' : missing, reason: outcome.reason });
    else {
      again.push(no);
      if (outcome.status === 'again') untouched.push(no);
    }
  });
  return { recorded, again, untouched };
}

/** Asks about jobs; those whose rows all have outcomes already, from an attempt that died since, need no answer. */
async function ask({ input, application, attempt }: Polling, batches: readonly Batch[]): Promise<readonly Polled[]> {
  const { progress, sync } = input;
  if (application.poll === undefined) {
    throw new MillraceError('config', `sync ${sync.name}: its application has jobs under way and none of it can be asked about`);
  }
  const open = progress.jobs.flatMap(({ handle }, at) => {
    const batch = batches[at];
    return batch === undefined || batch.rows.length === 0 ? [] : [{ handle, batch }];
  });
  const answers = open.length === 0 ? [] : await application.poll(open, attempt);
  const byHandle = new Map(open.map(({ handle }, at) => [handle, answers[at]]));
  return progress.jobs.map(({ handle }) => (byHandle.has(handle) ? (byHandle.get(handle) ?? { after: progress.after }) : { outcomes: [] }));
}

/** What a job's end means, into the books; gives the run's counts where they changed. */
async function keep(polling: Polling, batch: Batch, { recorded, untouched }: Ended): Promise<SyncCounts | undefined> {
  const { books, hold, attempt } = polling;
  if (untouched.length > 0 && isNoted(polling, batch)) await books.unmark(hold, untouched, attempt);
  return recorded.length > 0 ? await books.record(hold, recorded, attempt) : undefined;
}

async function poll(polling: Polling): Promise<SyncProgress> {
  const { input, books, hold, attempt } = polling;
  const { progress } = input;
  const batches = await Promise.all(progress.jobs.map((job) => batchOf(polling, job)));
  await books.noteJobs(hold, progress.jobs, jobsOf(input.sync), attempt);
  const answers = await ask(polling, batches);
  const jobs: SyncJob[] = [];
  const afters: number[] = [];
  let counts = await countsNow(books, hold, progress.counts, activityInfo().attempt, attempt);
  let position = progress.position;
  for (const [at, job] of progress.jobs.entries()) {
    const polled = answers[at];
    const batch = batches[at];
    if (batch === undefined || polled === undefined || 'after' in polled) {
      jobs.push(job);
      afters.push(polled !== undefined && 'after' in polled ? polled.after : progress.after);
      continue;
    }
    const ended = endOf(polling, batch, polled);
    counts = (await keep(polling, batch, ended)) ?? counts;
    position = ended.again.reduce((least, no) => Math.min(least, no), position);
    attempt.beat();
  }
  if (jobs.length < progress.jobs.length) await books.noteJobs(hold, jobs, jobsOf(input.sync), attempt);
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
    const patience = { attempt, patient, wait: requestTimeout + pace.lease, progress: undefined, tell: tellWait(input.sync.name) };
    return await withHold(ledger, input.run, patience, (hold) => poll({ input, application, books: ledger, hold, attempt: patient }));
  };
