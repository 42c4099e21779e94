export { checkProject } from './checks.ts';
export { connectTemporal, type Temporal } from './connection.ts';
export { followRun, type FollowOptions } from './follow.ts';
export { pageAddress, runIdOf, taskQueueOf } from './names.ts';
export { toDefinitions, type Definitions } from './project/definitions.ts';
export { loadProject, type LoadedProject, type LoadOptions } from './project/load.ts';
export { defineProject, type ProjectFile } from './project/schema.ts';
export { cancelRuns, latestRuns, reportOf, type PastOutcome, type PastRun } from './run-history.ts';
export {
  plainSync,
  runOutcome,
  runProgress,
  startRun,
  syncProgress,
  type Runnable,
  type RunOutcome,
  type StartedRun,
  type StartOptions,
} from './runs.ts';
export {
  applySchedules,
  backfill,
  scheduleOf,
  scheduleStatus,
  type Applied,
  type Change,
  type ApplyOptions,
  type Scheduled,
  type ScheduleStatus,
} from './schedules.ts';
export { standingOf, type Standing } from './standing.ts';
export type { Trouble } from './trouble.ts';
export { MillraceError, type ErrorCode } from '../schema/errors.ts';
export type { Checked, CheckRun } from '../schema/check.ts';
export type { ModelReport, RunOptions, RunReport, StreamReport } from '../schema/run.ts';
export type { SyncOptions, SyncReport } from '../schema/sync.ts';
