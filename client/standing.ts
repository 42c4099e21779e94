import type { Client } from '@temporalio/client';
import type { RunReport } from '../schema/run.ts';
import type { SyncReport } from '../schema/sync.ts';
import type { PipelineDefinition } from '../schema/definition.ts';
import type { IngestReport } from '../schema/ingest.ts';
import { caughtUpAt, ingestRun, ingestStanding, type IngestStanding, lastLoad, loadsEvents } from './ingest-standing.ts';
import { latestRuns, reportOf, type PastOutcome, type PastRun } from './run-history.ts';
import type { Runnable } from './runs.ts';
import { scheduleStatus, type ScheduleStatus } from './schedules.ts';

/** How a pipeline, model or sync stands. */
export interface Standing {
  readonly name: string;
  readonly kind: Runnable['kind'];
  /** Newest first. */
  readonly runs: readonly PastRun[];
  /** What the newest run did, or does. */
  readonly report: RunReport | undefined;
  /** The same of a sync. */
  readonly sync: SyncReport | undefined;
  /** Of a pipeline of events: what its workflow did so far. */
  readonly ingest?: IngestReport | undefined;
  /** Why the newest run failed. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
  readonly lastSuccess: Date | undefined;
  /** True when the last success is longer ago than `expect_every` allows. */
  readonly late: boolean;
  readonly schedule: ScheduleStatus | undefined;
  /** `differs`: what is applied isn't what the file says; `missing`: the file's schedule isn't applied; `stale`: the file has none any more. */
  readonly applied: 'same' | 'differs' | 'missing' | 'stale' | 'none';
}

/** Of so many runs the last success is looked for. */
const lookedAt = 20;

type EventRunnable = Extract<Runnable, { kind: 'pipeline' }>;

function areEventsLate({ expectEvery, expectsEvents }: PipelineDefinition, events: IngestStanding | undefined): boolean {
  if (expectEvery === undefined) return false;
  if (events === undefined) return expectsEvents === true;
  return Date.now() - (caughtUpAt(events) ?? events.startedAt).getTime() > expectEvery;
}

async function standingOfEvents(client: Client, runnable: EventRunnable, scheduleHash: string | undefined): Promise<Standing> {
  const { definition, kind } = runnable;
  const [events, past, schedule] = await Promise.all([
    ingestStanding(client, definition),
    latestRuns(client, runnable, lookedAt),
    scheduleStatus(client, definition.project, definition.name),
  ]);
  return {
    name: definition.name,
    kind,
    runs: [...(events === undefined ? [] : [ingestRun(events)]), ...past],
    report: undefined,
    sync: undefined,
    ingest: events?.report,
    failure: events?.report?.failure,
    lastSuccess: lastLoad(events?.report),
    late: areEventsLate(definition, events),
    schedule,
    applied: appliedOf(schedule, scheduleHash),
  };
}

function isLate(runnable: Runnable, lastSuccess: Date | undefined): boolean {
  const every = runnable.kind === 'model' ? undefined : runnable.definition.expectEvery;
  return every !== undefined && (lastSuccess === undefined || Date.now() - lastSuccess.getTime() > every);
}

function appliedOf(schedule: ScheduleStatus | undefined, wanted: string | undefined): Standing['applied'] {
  if (schedule === undefined) return wanted === undefined ? 'none' : 'missing';
  if (wanted === undefined) return 'stale';
  return schedule.hash === wanted ? 'same' : 'differs';
}

/**
 * How a pipeline, model or sync stands: its runs, what the newest did, and its schedule.
 * @param scheduleHash the hash of the definition, where the project file gives it a schedule
 */
export async function standingOf(client: Client, runnable: Runnable, scheduleHash: string | undefined): Promise<Standing> {
  if (runnable.kind === 'pipeline' && loadsEvents(runnable.definition)) return await standingOfEvents(client, runnable, scheduleHash);
  const { project, name } = runnable.definition;
  const [runs, schedule] = await Promise.all([latestRuns(client, runnable, lookedAt), scheduleStatus(client, project, name)]);
  const [newest] = runs;
  const outcome: PastOutcome = newest === undefined ? {} : await reportOf(client, runnable, newest);
  const lastSuccess = runs.find(({ state }) => state === 'succeeded')?.endedAt;
  return {
    name,
    kind: runnable.kind,
    runs,
    report: outcome.report,
    sync: outcome.sync,
    failure: outcome.failure,
    lastSuccess,
    late: isLate(runnable, lastSuccess),
    schedule,
    applied: appliedOf(schedule, scheduleHash),
  };
}
