import { z } from 'zod';
import { accepted, atLeastSecond, duration, parseDuration, unlike } from './quantity.ts';

/** When a pipeline, model or sync runs by itself, with every default filled in. Times in milliseconds. */
export type Schedule = {
  readonly when: { readonly cron: string } | { readonly every: number };
  readonly timezone: string;
  /** Each start is put off by a random time up to this. */
  readonly jitter: number;
  /** Starts missed while Temporal was down are made up for when they are no older than this. */
  readonly catchUp: number;
  /** Each start waits for a change of what the sync's model reads; `every` is the least time between two. */
  readonly continuous?: true;
};

const scheduleDefaults = { timezone: 'UTC', catch_up: '1 day', min_interval: '15s' } as const;
/** Starts of a continuous sync come soon again: those missed for longer are not made up for. */
const continuousCatchUp = 60_000;

const shortcuts = new Set(['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually']);
const fields: readonly { readonly min: number; readonly max: number; readonly names: string }[] = [
  { min: 0, max: 59, names: '' },
  { min: 0, max: 23, names: '' },
  { min: 1, max: 31, names: '' },
  { min: 1, max: 12, names: 'jan feb mar apr may jun jul aug sep oct nov dec' },
  { min: 0, max: 7, names: 'sun mon tue wed thu fri sat' },
];

/** Whether Temporal takes the text as a cron expression: five fields, or `@daily` and its like. */
export function isCron(text: string): boolean {
  const parts = text.trim().toLowerCase().split(/\s+/);
  if (parts.length === 1) return shortcuts.has(parts[0] ?? '');
  return parts.length === fields.length && parts.every((part, position) => part.split(',').every((item) => isCronItem(item, position)));
}

function isCronItem(item: string, position: number): boolean {
  const match = /^(\*|[a-z0-9]+(?:-[a-z0-9]+)?)(?:\/(\d+))?$/.exec(item);
  if (match === null || match[2] === '0') return false;
  if (match[1] === '*') return true;
  const [first, last] = (match[1] ?? '').split('-').map((value) => cronValue(value, position));
  if (first === undefined) return false;
  return !(match[1] ?? '').includes('-') || (last !== undefined && first <= last);
}

/** A number, or a name of a month or day as its number; undefined out of the field's range. */
function cronValue(text: string, position: number): number | undefined {
  const field = fields[position];
  if (field === undefined) return undefined;
  const named = text.length === 3 ? field.names.split(' ').indexOf(text) : -1;
  const value = /^\d+$/.test(text) ? Number(text) : named === -1 ? NaN : named + field.min;
  return value >= field.min && value <= field.max ? value : undefined;
}

function isTimezone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds of `every 15 minutes`, `every hour`; undefined for anything else. */
function parseEvery(text: string): number | undefined {
  const match = /^every\s+(.+)$/i.exec(text.trim());
  if (match === null) return undefined;
  const interval = match[1] ?? '';
  const every = parseDuration(/^[a-z]/i.test(interval) ? `1 ${interval}` : interval);
  return every !== undefined && every >= 1000 ? every : undefined;
}

const notCron = unlike('five cron fields', 'such as "0 5 * * 1-5": minute, hour, day of month, month, day of week', () => []);
const cron = z.string({ error: notCron }).refine(isCron, { error: notCron });

const everyMinutes = (amount: string): readonly string[] =>
  [`every ${amount} minutes`, `every ${amount} hours`].filter((text) => parseEvery(text) !== undefined);
const spread = {
  jitter: duration().describe('Each start is put off by a random time up to this. Default: none.').optional(),
  catch_up: duration()
    .meta({
      description: 'Starts missed while Temporal was down are made up for when they are no older than this.',
      default: scheduleDefaults.catch_up,
    })
    .optional(),
};

export const cronSchedule = z
  .strictObject({
    cron: cron.describe('Five fields: minute, hour, day of month, month, day of week; or `@hourly @daily @weekly @monthly @yearly`.'),
    timezone: z
      .string()
      .refine(isTimezone, 'must be a time zone such as "Europe/Berlin"')
      .meta({ description: 'The time zone of the fields.', default: scheduleDefaults.timezone })
      .optional(),
    ...spread,
  })
  .describe('Starts by calendar.');

export const intervalSchedule = z
  .strictObject({ every: atLeastSecond().describe('Time from start to start.'), ...spread })
  .describe('Starts at a fixed interval.');

const notSchedule = unlike('"every 15 minutes" or five cron fields', 'such as "0 5 * * 1-5"', everyMinutes);
const intervalOrCron = z.string({ error: notSchedule }).refine((text) => parseEvery(text) !== undefined || isCron(text), {
  error: ({ input }) =>
    input === 'continuous'
      ? 'is "continuous", which only syncs can be: write "every 15 minutes" or five cron fields'
      : notSchedule({ input }),
});

export const scheduleSettings = z
  .union([intervalOrCron, cronSchedule, intervalSchedule])
  .describe(
    '`every 15 minutes`, a cron expression, or an object with time zone, jitter and catch-up. A start is skipped while the run before goes on.',
  );
export type ScheduleSettings = z.infer<typeof scheduleSettings>;

export const continuousSchedule = z
  .strictObject({
    continuous: z.literal(true).describe('A run as soon as something that the model reads has been committed.'),
    min_interval: atLeastSecond()
      .meta({ description: 'Time from the start of a run to that of the next, at least.', default: scheduleDefaults.min_interval })
      .optional(),
  })
  .describe('Starts when the model has changed.');

const notSyncSchedule = unlike('"continuous", "every 15 minutes" or five cron fields', 'such as "0 5 * * 1-5"', everyMinutes);

export const syncScheduleSettings = z
  .union([
    z
      .string({ error: notSyncSchedule })
      .refine((text) => text === 'continuous' || parseEvery(text) !== undefined || isCron(text), { error: notSyncSchedule }),
    continuousSchedule,
    cronSchedule,
    intervalSchedule,
  ])
  .describe(
    '`continuous`: soon after each change of what the model reads. Or `every 15 minutes`, a cron expression, or an object, as for pipelines. A start is skipped while the run before goes on.',
  );
export type SyncScheduleSettings = z.infer<typeof syncScheduleSettings>;

type Continuous = 'continuous' | z.infer<typeof continuousSchedule>;

function isContinuous(settings: SyncScheduleSettings): settings is Continuous {
  return typeof settings === 'string' ? settings === 'continuous' : 'continuous' in settings;
}

/** Milliseconds between two starts of a continuous sync, at least. */
export function minIntervalOf(settings: SyncScheduleSettings | undefined): number {
  const given = typeof settings === 'object' && 'continuous' in settings ? settings.min_interval : undefined;
  return accepted(parseDuration, given ?? scheduleDefaults.min_interval);
}

/** The schedule that a sync's settings mean. */
export function toSyncSchedule(settings: SyncScheduleSettings): Schedule {
  if (!isContinuous(settings)) return toSchedule(settings);
  const every = minIntervalOf(settings);
  return { when: { every }, timezone: scheduleDefaults.timezone, jitter: 0, catchUp: continuousCatchUp, continuous: true };
}

/** The schedule that the settings mean. */
export function toSchedule(settings: ScheduleSettings): Schedule {
  if (typeof settings === 'string') {
    const every = parseEvery(settings);
    return toSchedule(every === undefined ? { cron: settings } : { every: `${every} ms` });
  }
  return {
    when: 'cron' in settings ? { cron: settings.cron.trim() } : { every: accepted(parseDuration, settings.every) },
    timezone: ('cron' in settings ? settings.timezone : undefined) ?? scheduleDefaults.timezone,
    jitter: settings.jitter === undefined ? 0 : accepted(parseDuration, settings.jitter),
    catchUp: accepted(parseDuration, settings.catch_up ?? scheduleDefaults.catch_up),
  };
}
