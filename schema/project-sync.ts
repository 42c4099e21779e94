import { z } from 'zod';
import { alerts } from './project-alert.ts';
import { atLeastSecond, cadence, duration, percentage } from './quantity.ts';
import { syncScheduleSettings } from './schedule.ts';
import { syncModes } from './sync-definition.ts';

/** What a setting of a sync is when the file doesn't give it. */
export const syncDefaults = {
  mode: 'upsert',
  deletes: 'delete',
  when_null: 'clear',
  guards: { deletes: '50%' },
  max_rejected: '50%',
  when_unknown: 'at-most-once',
  mapping_change: 'ask',
  retention: { log: '30 days', runs: '90 days' },
  heartbeat_timeout: '60s',
} as const;

const column = z.string().min(1);
const field = z.string().min(1);
const sameNames = z.array(column).min(1);

export const mappedField = z
  .strictObject({
    to: field.describe("The application's field."),
    when_null: z
      .enum(['clear', 'keep'])
      .meta({ description: 'A NULL empties the field (`clear`), or leaves it as it is (`keep`).', default: syncDefaults.when_null })
      .optional(),
  })
  .describe('A field, and what becomes of it when the column is NULL.');

export const syncGuards = z
  .strictObject({
    deletes: percentage()
      .meta({
        description: 'The greatest share of the rows that the application has acknowledged, that one run may remove.',
        default: syncDefaults.guards.deletes,
      })
      .optional(),
  })
  .describe('Limits that stop a run before it sends.');

export const syncRetention = z
  .strictObject({
    log: duration()
      .meta({ description: 'How long the log keeps what became of each row.', default: syncDefaults.retention.log })
      .optional(),
    runs: duration().meta({ description: 'How long the books of runs are kept.', default: syncDefaults.retention.runs }).optional(),
  })
  .describe('How long things are kept.');

export const syncState = z
  .strictObject({ connection: z.string().min(1).describe('A postgres connection that may be written.') })
  .describe('Where the ledger and the books are.');

export const syncSettings = z
  .strictObject({
    from: z.string().min(1).describe('The model whose rows are sent; it needs a key.'),
    to: z
      .string()
      .regex(/^[^.]+\..+$/, 'must be a connection and what it is to write there, as in "crm.contacts"')
      .describe('The connection, and the object as its kind calls it: `crm.contacts`, `shop.public.accounts`.'),
    match: z
      .union([z.record(column, field), sameNames])
      .describe(
        "Model column to the application's field that finds the object, or a list of columns of the same names. Default: the model's key.",
      )
      .optional(),
    mode: z
      .enum(syncModes)
      .meta({
        description:
          '`insert` only creates; `update` only changes what is there; `upsert` does both; `mirror` removes too what has left the model; `add` puts the rows into a list, `remove` takes them out.',
        default: syncDefaults.mode,
      })
      .optional(),
    deletes: z
      .enum(['delete', 'clear', 'archive'])
      .meta({
        description:
          'With mode mirror, what becomes of the object of a row that has left the model: gone, its mapped fields emptied, or archived.',
        default: syncDefaults.deletes,
      })
      .optional(),
    map: z
      .union([z.record(column, z.union([field, mappedField])), sameNames])
      .describe('Model column to field, or to an object with what a NULL does; or a list of columns whose fields have the same names.')
      .optional(),
    schedule: syncScheduleSettings.optional(),
    guards: syncGuards.optional(),
    max_rejected: z
      .union([percentage(), z.number().int().min(0)])
      .meta({
        description: 'More refused rows than this fail the run: a share of the planned and invalid rows, or a number of rows.',
        default: syncDefaults.max_rejected,
      })
      .optional(),
    when_unknown: z
      .enum(['at-most-once', 'at-least-once'])
      .meta({
        description:
          'A row whose answer is missing where the application can neither be asked nor told twice: kept as unknown for a person to decide, or sent again.',
        default: syncDefaults.when_unknown,
      })
      .optional(),
    mapping_change: z
      .enum(['ask', 'resend'])
      .meta({
        description: 'A changed `match` or `map` sends rows again: only when a run is told to (`ask`), or by itself.',
        default: syncDefaults.mapping_change,
      })
      .optional(),
    state: syncState.describe("Where the ledger and the books are. Default: the model's warehouse.").optional(),
    write: z.record(z.string(), z.unknown()).describe("Options of the object, by the connection's kind.").optional(),
    retention: syncRetention.optional(),
    alerts: alerts.optional(),
    expect_every: cadence().describe('Without a success for longer than this the sync is late.').optional(),
    heartbeat_timeout: atLeastSecond()
      .meta({
        description: 'A step that shows no progress for this long is tried again elsewhere; at least a second.',
        default: syncDefaults.heartbeat_timeout,
      })
      .optional(),
  })
  .describe('Rows of a model, kept equal to the objects of an application.');
export type SyncSettings = z.infer<typeof syncSettings>;
