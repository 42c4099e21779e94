import { z } from 'zod';
import { above } from './quantity.ts';

/** What alerts tell of when they don't say. */
export const alertDefaults = ['failed', 'recovered', 'late', 'rejected'] as const;

/** Alert kinds: `rejected` needs a share. */
const alertKind = z.enum(['failed', 'recovered', 'late', 'rejected']);

export const alertSettings = z
  .strictObject({
    to: z.string().describe('A webhook connection.'),
    on: z
      .array(alertKind)
      .min(1)
      .meta({
        description: 'What is told, once per streak. `late` needs `expect_every`, `rejected` needs a share in `rejected`.',
        default: alertDefaults,
      })
      .optional(),
    rejected: above().describe('Tell when more than this share of the rows of a stream or sync was rejected: `2%`, or `> 2%`.').optional(),
  })
  .describe('Where and when to tell about a run.');
export type AlertSettings = z.infer<typeof alertSettings>;

/** `alerts` of pipelines, models and syncs. */
export const alerts = z
  .union([z.string().min(1), alertSettings, z.array(z.union([z.string().min(1), alertSettings]))])
  .describe('A webhook connection, an object, or a list of connections or objects.');
