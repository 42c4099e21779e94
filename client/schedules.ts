import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { MillraceError } from '../schema/errors.ts';
import type { RunOptions } from '../schema/run.ts';
import type { Schedule } from '../schema/schedule.ts';
import type { SyncOptions } from '../schema/sync.ts';
import { runIdOf, taskQueueOf } from './names.ts';
import { keyIdOf } from './payload-codec.ts';
import { plainSync, type Runnable, summaryOf, workflowOf } from './runs.ts';
import { searchAttributesOf } from './search-attributes.ts';
import { type Watched, watchSchedule } from './watch-schedules.ts';

/** A pipeline, model or sync that runs by itself. `hash` covers the definition and its schedule. */
export interface Scheduled {
  readonly runnable: Runnable;
  readonly schedule: Schedule;
  readonly hash: string;
}

export type Change = 'created' | 'updated' | 'unchanged' | 'pruned' | 'stale';

export interface Applied {
  readonly name: string;
  /** `stale`: a schedule of this project that the file no longer has; `--prune` removes it. */
  readonly change: Change;
}

export interface ApplyOptions {
  /** Says what would change, and changes nothing. */
  readonly dryRun?: boolean;
  /** Removes this project's schedules that the file no longer has. */
  readonly prune?: boolean;
}

/** A schedule as an operator sees it. */
export interface ScheduleStatus {
  readonly name: string;
  readonly paused: boolean;
  readonly note: string;
  /** Hash of the definition that was applied. */
  readonly hash: string;
  readonly next: Date | undefined;
}

/** What the server is to have. */
interface Wanted {
  readonly name: string;
  readonly hash: string;
  readonly options: ScheduleOptions;
}

async function wantedOf(client: Client, scheduled: Scheduled | Watched): Promise<Wanted> {
  if ('watch' in scheduled) return watchSchedule(scheduled);
  return { name: scheduled.runnable.definition.name, hash: scheduled.hash, options: await optionsOf(client, scheduled) };
}

async function optionsOf(client: Client, scheduled: Scheduled): Promise<ScheduleOptions> {
  const { runnable, schedule, hash } = scheduled;
  const { project, name } = runnable.definition;
  const options = startOptions(runnable, schedule);
  const { type, args } = workflowOf(runnable, options);
  const attributes = await searchAttributesOf(client, project, name, runnable.kind);
  const spec = 'cron' in schedule.when ? { cronExpressions: [schedule.when.cron] } : { intervals: [{ every: schedule.when.every }] };
  return {
    scheduleId: runIdOf(project, name),
    spec: { ...spec, timezone: schedule.timezone, jitter: schedule.jitter },
    action: {
      type: 'startWorkflow',
      workflowType: type,
      taskQueue: taskQueueOf(project),
      workflowId: runIdOf(project, name),
      args,
      ...summaryOf(runnable, options),
      // The schedule has no memo of its own: it couldn't be updated, nor be encrypted with a new key.
      memo: { project, name, kind: runnable.kind, definitionHash: hash },
      ...(attributes.length > 0 ? { typedSearchAttributes: new TypedSearchAttributes(attributes) } : {}),
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: schedule.catchUp, pauseOnFailure: false },
  };
}

function startOptions({ kind }: Runnable, { continuous }: Schedule): RunOptions | SyncOptions {
  if (kind !== 'sync') return { trigger: 'schedule', fullRefresh: false };
  return { ...plainSync, trigger: continuous === true ? 'continuous' : 'schedule' };
}

async function applyOne(client: Client, { name, hash, options }: Wanted, dryRun: boolean): Promise<Applied> {
  const handle = client.schedule.getHandle(options.scheduleId);
  const existing = await describe(handle);
  if (existing?.action.memo?.['definitionHash'] === hash && (await hasCurrentKey(client, existing))) return { name, change: 'unchanged' };
  if (dryRun) return { name, change: existing === undefined ? 'created' : 'updated' };
  if (existing === undefined) return await create(client, options, name);
  if (existing.action.memo?.['definitionHash'] === undefined) {
    throw new MillraceError(
      'config',
      `schedule ${options.scheduleId} exists and isn't Millrace's: rename the project or remove that schedule`,
    );
  }
  // An operator's pause survives: the state is taken over.
  await handle.update((previous) => ({
    spec: options.spec,
    action: options.action,
    policies: options.policies ?? {},
    state: previous.state,
  }));
  return { name, change: 'updated' };
}

/** Is a schedule encrypted as it would be today? A new key, the first one, or none, is a change. */
async function hasCurrentKey(client: Client, { raw }: ScheduleDescription): Promise<boolean> {
  const stored = raw.schedule?.action?.startWorkflow?.memo?.fields?.['definitionHash'];
  const [codec] = client.options.loadedDataConverter.payloadCodecs;
  const [probe] = (await codec?.encode([{ metadata: {}, data: new Uint8Array() }])) ?? [];
  return keyIdOf(stored ?? {}) === keyIdOf(probe ?? {});
}

/** Another `apply` may be quicker; its schedule is as good. */
async function create(client: Client, options: ScheduleOptions, name: string): Promise<Applied> {
  try {
    await client.schedule.create(options);
    return { name, change: 'created' };
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return { name, change: 'unchanged' };
    throw error;
  }
}

async function describe(handle: ScheduleHandle): Promise<ScheduleDescription | undefined> {
  try {
    return await handle.describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** The project's schedules. Those of others are left out by their ids: their memos may be encrypted with keys that this project doesn't have. */
async function* managed(client: Client, project: string): AsyncIterable<string> {
  const { namespace } = client.options;
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const page = await client.workflowService.listSchedules({ namespace, nextPageToken });
    for (const { scheduleId } of page.schedules) {
      if (!scheduleId?.startsWith(runIdOf(project, ''))) continue;
      const memo = (await describe(client.schedule.getHandle(scheduleId)))?.action.memo;
      if (memo?.['definitionHash'] !== undefined && memo['project'] === project) yield scheduleId;
    }
    ({ nextPageToken } = page);
  } while (nextPageToken.length > 0);
}

/** Makes the server's schedules equal to the project's; the same call again changes nothing. */
export async function applySchedules(
  client: Client,
  project: string,
  schedules: readonly (Scheduled | Watched)[],
  options: ApplyOptions = {},
): Promise<readonly Applied[]> {
  const applied: Applied[] = [];
  const wanted = new Set<string>();
  for (const scheduled of schedules) {
    const next = await wantedOf(client, scheduled);
    wanted.add(next.options.scheduleId);
    applied.push(await applyOne(client, next, options.dryRun === true));
  }
  for await (const id of managed(client, project)) {
    if (wanted.has(id)) continue;
    const name = id.slice(project.length + 1);
    const prune = options.prune === true;
    if (prune && options.dryRun !== true) await client.schedule.getHandle(id).delete();
    applied.push({ name, change: prune ? 'pruned' : 'stale' });
  }
  return applied;
}

/** The schedule of a pipeline, model or sync; throws `not-found` with the remedy. */
export async function scheduleOf(client: Client, project: string, name: string): Promise<ScheduleHandle> {
  const handle = client.schedule.getHandle(runIdOf(project, name));
  if ((await describe(handle)) === undefined) {
    throw new MillraceError('not-found', `${name} has no schedule on the server: give it one in the project file and run millrace apply`);
  }
  return handle;
}

/** Makes the starts that a schedule has in a time gone by, one after the other. */
export async function backfill(schedule: ScheduleHandle, from: Date, to: Date): Promise<void> {
  await schedule.backfill({ start: from, end: to, overlap: ScheduleOverlapPolicy.BUFFER_ALL });
}

/** The state of one schedule; undefined when there is none. */
export async function scheduleStatus(client: Client, project: string, name: string): Promise<ScheduleStatus | undefined> {
  const description = await describe(client.schedule.getHandle(runIdOf(project, name)));
  if (description === undefined) return undefined;
  const hash = description.action.memo?.['definitionHash'];
  return {
    name,
    paused: description.state.paused,
    note: description.state.note ?? '',
    hash: typeof hash === 'string' ? hash : '',
    next: description.state.paused ? undefined : description.info.nextActionTimes[0],
  };
}
