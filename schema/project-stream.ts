import { z } from 'zod';
import { modes } from './definition.ts';
import { cadence, percentage } from './quantity.ts';
import { stepSchema } from './step.ts';

/** What a setting is when neither the stream nor `defaults` gives it. */
export const streamDefaults = {
  mode: 'replace',
  null_cursor: 'include',
  contract: 'evolve',
  deletes: 'keep',
  guards: { deletes: '100%' },
  on_failure: 'reject',
  max_rejected: '50%',
  adopt: false,
} as const;

const column = z.string().min(1);
const held = z.enum(['evolve', 'freeze', 'discard']);
const columns = z.union([column, z.array(column).min(1)]);

const contract = z
  .union([
    held,
    z.strictObject({
      columns: held.describe('New columns: added (`evolve`), refused (`freeze`) or left out (`discard`).').optional(),
      types: held.describe('Changed types: widened (`evolve`), refused (`freeze`) or their rows rejected (`discard`).').optional(),
    }),
  ])
  .meta({
    description: 'What the target does about new columns and changed types: one word for both, or one for each.',
    default: streamDefaults.contract,
  });

export const guards = z
  .strictObject({
    deletes: percentage()
      .meta({ description: 'The greatest share of the target that one load may delete.', default: streamDefaults.guards.deletes })
      .optional(),
  })
  .describe('Limits that stop a load before it commits.');

/** Settings of a stream that `defaults` may give for all. */
export const sharedStreamSettings = {
  mode: z
    .enum(modes)
    .meta({
      description:
        '`replace` the table; `append` new rows; `merge` by key, the newest wins; `history` keeps every version (valid from, to, is current).',
      default: streamDefaults.mode,
    })
    .optional(),
  null_cursor: z
    .enum(['include', 'exclude', 'fail'])
    .meta({ description: 'What becomes of rows without a value in the cursor column.', default: streamDefaults.null_cursor })
    .optional(),
  look_back: z
    .union([z.string().min(1), z.number().min(0)])
    .describe('How far before the stored cursor each run reads again, in its unit: `10 minutes`, or a number.')
    .optional(),
  contract: contract.optional(),
  deletes: z
    .enum(['keep', 'mark', 'remove'])
    .meta({
      description:
        'Rows gone from the source: kept, marked in `_deleted_at`, or removed. An increment by cursor sees no deletes: see `reconcile`.',
      default: streamDefaults.deletes,
    })
    .optional(),
  reconcile: cadence()
    .describe(
      '`daily`, `6 hours`: how often all keys are read, to find deletes of a merge or history with a cursor. A row that only a filter leaves out by now stays.',
    )
    .optional(),
  guards: guards.optional(),
  on_failure: z
    .enum(['reject', 'fail', 'null'])
    .meta({
      description: 'A row that breaks a rule or a type: kept as a rejection, the load fails, or the value becomes NULL.',
      default: streamDefaults.on_failure,
    })
    .optional(),
  max_rejected: z
    .union([percentage(), z.number().int().min(0)])
    .meta({
      description: 'More rejections than this stop the load: a share of the rows read, or a number of rows.',
      default: streamDefaults.max_rejected,
    })
    .optional(),
  protect: z.array(column).describe('Columns whose values are masked in rejections.').optional(),
};

export const streamSettings = z
  .strictObject({
    into: z.string().min(1).describe("Table in the destination's schema. Default: the stream's own name.").optional(),
    except: z.array(z.string().min(1)).describe('Streams that the pattern leaves out, exact or with `*`.').optional(),
    key: columns.describe("Column or columns that identify a row. Default: the source's primary key.").optional(),
    cursor: column.describe('Column that grows with every change; each run reads from where the one before ended.').optional(),
    ...sharedStreamSettings,
    transform: z.array(stepSchema).describe('Steps from the rows read to the rows loaded, in order.').optional(),
    adopt: z
      .boolean()
      .meta({ description: 'Take over a target table that Millrace did not make.', default: streamDefaults.adopt })
      .optional(),
    read: z.record(z.string(), z.unknown()).describe("How the source's kind reads it: options of files.").optional(),
  })
  .describe('How one stream, or all that match a pattern, is loaded.');
export type StreamSettings = z.infer<typeof streamSettings>;
