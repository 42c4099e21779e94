import { z } from 'zod';

/** A part of a whole, from 0 to 1. */
export const share = z.number().min(0).max(1);

export const connectionDefinition = z.strictObject({
  name: z.string(),
  type: z.string(),
  /** Settings as written, secrets as references, paths absolute. */
  settings: z.record(z.string(), z.unknown()),
});
export type ConnectionDefinition = z.infer<typeof connectionDefinition>;

/** The greatest share of rows, or number of rows, that may be rejected. */
export const maxRejected = z.union([z.strictObject({ share }), z.strictObject({ rows: z.number().int().min(0) })]);

export const alertDefinition = z.strictObject({
  to: connectionDefinition,
  on: z.array(z.enum(['failed', 'recovered', 'late', 'rejected'])),
  rejectedShare: share.optional(),
  template: z.enum(['json', 'slack']),
});
export type AlertDefinition = z.infer<typeof alertDefinition>;
