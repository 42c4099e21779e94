import { z } from 'zod';
import { alertDefinition, connectionDefinition, maxRejected, share } from './definition-parts.ts';

export const syncModes = ['insert', 'update', 'upsert', 'mirror', 'add', 'remove'] as const;
export type SyncMode = (typeof syncModes)[number];

/** A sync with its model and connections as plain data, secrets still as references, every default filled in. */
export const syncDefinition = z.strictObject({
  format: z.number().int(),
  project: z.string(),
  name: z.string(),
  model: z.strictObject({
    name: z.string(),
    sql: z.string(),
    /** Columns that identify a row; never empty. */
    key: z.array(z.string()).min(1),
    /** Pipelines and models that it waits for at first. */
    after: z.array(z.string()),
  }),
  warehouse: connectionDefinition,
  /** Where the ledger and the books of syncs are: the warehouse, or another PostgreSQL database. */
  state: connectionDefinition,
  to: connectionDefinition,
  /** What the application calls it: `contacts`, `lists/42`, `public.accounts`. */
  object: z.string(),
  /** Model column to the application's field that finds the object; in the order of the file. */
  match: z.array(z.strictObject({ column: z.string(), field: z.string() })).min(1),
  /** Model column to field. `keep`: a NULL is not sent; `clear`: it empties the field. */
  map: z.array(z.strictObject({ column: z.string(), field: z.string(), whenNull: z.enum(['keep', 'clear']) })),
  mode: z.enum(syncModes),
  /** What becomes of the object of a row that left the model, in mode mirror. */
  deletes: z.enum(['delete', 'clear', 'archive']),
  /** The greatest share of the ledger's rows that one run may remove. */
  maxDeleted: share,
  /** The greatest share of planned and invalid rows, or number of rows, that may be refused before the run fails. */
  maxRejected,
  /** For writes that can't be settled: `at-most-once` parks the row as unknown, `at-least-once` sends it again. */
  whenUnknown: z.enum(['at-most-once', 'at-least-once']),
  /** `ask`: a changed mapping sends rows again only when a run is told to. */
  mappingChange: z.enum(['ask', 'resend']),
  /** Options of the application's kind for this object, checked by its connector. */
  write: z.record(z.string(), z.unknown()),
  alerts: z.array(alertDefinition),
  expectEvery: z.number().optional(),
  /** Milliseconds that entries of the log and books of runs are kept. */
  retention: z.strictObject({ log: z.number(), runs: z.number() }),
  /** Of a continuous sync: milliseconds between starts of runs, at least. */
  minInterval: z.number().int().min(1000),
  heartbeatTimeout: z.number().int().min(1000),
});
export type SyncDefinition = z.infer<typeof syncDefinition>;
