import { activityInfo } from '@temporalio/activity';
import { z } from 'zod';
import type { Attempt } from '../connectors/connector.ts';
import type { Hold } from '../connectors/sync-books.ts';
import type { Column } from '../schema/column.ts';
import { MillraceError, retryableCodes } from '../schema/errors.ts';
import { operations, type SyncProgress, type SyncRunName } from '../schema/sync.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { openSync } from './open-sync.ts';
import { countsNow, tellWait, withHold } from './send/hold.ts';
import { patientAttempt } from './send/patient.ts';
import { usualPace, type Pace } from './send/pace.ts';
import { sendSlice, type Sliced } from './send/send-slice.ts';

export interface SendInput {
  readonly run: SyncRunName;
  readonly sync: SyncDefinition;
  readonly columns: readonly Column[];
  /** Rows of the plan. */
  readonly planned: number;
  readonly progress: SyncProgress;
}

/** From this attempt on, a few rows that get no answer are given up even when nothing gets one. */
const stubbornAttempt = 8;

/** What a heartbeat holds. */
const beaten = z.object({
  position: z.number(),
  after: z.number(),
  jobs: z.array(
    z.object({ handle: z.string(), operation: z.enum(operations), rows: z.array(z.tuple([z.number(), z.number()]).readonly()) }),
  ),
});

/** Where the attempt before this one came to. */
function resumed(progress: SyncProgress, details: unknown): SyncProgress {
  const parsed = beaten.safeParse(details);
  return parsed.success ? { ...progress, ...parsed.data } : progress;
}

/**
 * What the step gives. An end for good or by a cancellation is no failure of the step while jobs are under way that the workflow must know
 * of, for their results are to be fetched.
 */
function resultOf({ progress, stopped }: Sliced, { signal }: Attempt, scrub: (text: string) => string): SyncProgress {
  if (stopped === undefined) return progress;
  const { error } = stopped;
  if (signal.aborted && error === signal.reason && progress.jobs.length > 0) return progress;
  const isFinal = error instanceof MillraceError && !retryableCodes.has(error.code) && error.code !== 'fenced';
  if (!isFinal || progress.jobs.length === 0) throw error;
  return { ...progress, failure: { code: error.code, message: scrub(error.message) } };
}

/** Sends rows of a plan for about ten seconds, without the waits for limits. A second attempt goes on where the books and the heartbeat of the first end. */
export const createSendRows = (deps: Dependencies, pace: Pace = usualPace) =>
  async function sendRows(input: SendInput): Promise<SyncProgress> {
    const { run, sync, columns, planned } = input;
    const info = activityInfo();
    const attempt = currentAttempt(run.runId, 'send');
    const progress = resumed(input.progress, info.heartbeatDetails);
    await using opened = await openSync(deps, sync, planned);
    await using ledger = await deps.openSyncBooks(sync.state);
    const { application, books } = opened;
    const details = { position: progress.position, jobs: progress.jobs, after: progress.after };
    const { requestTimeout } = application.limits;
    using patient = patientAttempt(attempt, requestTimeout + pace.lease);
    const patience = { attempt, patient, wait: requestTimeout + pace.lease, progress: details, tell: tellWait(sync.name) };
    const send = async (hold: Hold): Promise<Sliced> =>
      await sendSlice({
        sync,
        columns,
        planned,
        progress: { ...progress, counts: await countsNow(ledger, hold, progress.counts, info.attempt, patient) },
        application,
        books,
        ledger,
        hold,
        attempt,
        patient,
        pace,
        stubborn: info.attempt >= stubbornAttempt,
      });
    return await withHold(ledger, run, patience, async (hold, keep) => {
      const sliced = await send(hold);
      if (!sliced.isQuiet) keep();
      return resultOf(sliced, attempt, (text) => deps.scrub(text));
    });
  };
