import { z } from 'zod';
import { alertDefinition, connectionDefinition, maxRejected, share } from './definition-parts.ts';
import { stepSchema } from './step.ts';

export type { AlertDefinition, ConnectionDefinition } from './definition-parts.ts';

/**
 * What travels to workflows: a pipeline with its connections as plain data, secrets still as references, every default filled in.
 * The project file is turned into it by the client. `format` rises when its meaning changes; older formats stay readable.
 */
export const definitionFormat = 1;

export const modes = ['replace', 'append', 'merge', 'history'] as const;

const streamDefinition = z.strictObject({
  /** Table or path, exact or with `*` wildcards, as the source names it. */
  stream: z.string(),
  except: z.array(z.string()),
  /** Table name in the destination's schema; undefined: derived from the stream's name. */
  into: z.string().optional(),
  mode: z.enum(modes),
  /** Empty: the source's primary key. */
  key: z.array(z.string()),
  cursor: z.string().optional(),
  /** In the cursor's unit: an interval (`10 minutes`) or a number. */
  lookBack: z.string().optional(),
  nullCursor: z.enum(['include', 'exclude', 'fail']),
  transform: z.array(stepSchema),
  contract: z.strictObject({ columns: z.enum(['evolve', 'freeze', 'discard']), types: z.enum(['evolve', 'freeze', 'discard']) }),
  deletes: z.enum(['keep', 'mark', 'remove']),
  /** Milliseconds between complete reads of the keys, for deletes of a merge with a cursor. */
  reconcileEvery: z.number().optional(),
  /** The greatest share of the target's rows that one load may delete. */
  maxDeleted: share,
  onFailure: z.enum(['reject', 'fail', 'null']),
  /** The greatest share of rows read, or number of rows, that may be rejected before the load fails. */
  maxRejected,
  /** Columns whose values are masked in rejections. */
  protect: z.array(z.string()),
  /** Adopts a target table that Millrace didn't make. */
  adopt: z.boolean(),
  /** Options of the source's kind, checked by its connector: delimiter, encoding, … */
  read: z.record(z.string(), z.unknown()),
});
export type StreamDefinition = z.infer<typeof streamDefinition>;

export const modelDefinition = z.strictObject({
  format: z.number().int(),
  project: z.string(),
  name: z.string(),
  warehouse: connectionDefinition,
  sql: z.string(),
  build: z.enum(['none', 'view', 'table']),
  into: z.strictObject({ schema: z.string(), table: z.string() }).optional(),
  /** Columns that identify a row; undefined when none are named. */
  key: z.array(z.string()).optional(),
  after: z.array(z.string()),
  /** Rules by column, as the step `expect`. */
  expect: stepSchema.optional(),
  alerts: z.array(alertDefinition),
  heartbeatTimeout: z.number().int().min(1000),
});
export type ModelDefinition = z.infer<typeof modelDefinition>;

export const pipelineDefinition = z.strictObject({
  format: z.number().int(),
  project: z.string(),
  name: z.string(),
  from: connectionDefinition,
  to: connectionDefinition,
  schema: z.string(),
  streams: z.array(streamDefinition).min(1),
  /** Streams of a run that are loaded at the same time. */
  parallelStreams: z.number().int().min(1),
  /** Partitions of a stream that one step (extract, transform or load) works on at the same time. */
  parallelPartitions: z.number().int().min(1),
  /** Bytes aimed at for one partition. */
  partitionBytes: z.number().int().min(1),
  /** Models that name this pipeline in `after`. */
  models: z.array(modelDefinition),
  alerts: z.array(alertDefinition),
  /** Milliseconds without a success after which the pipeline is late. */
  expectEvery: z.number().optional(),
  /** Of a pipeline that loads events and has an `expect_every` of its own: that none come is late too. */
  expectsEvents: z.literal(true).optional(),
  retention: z.strictObject({ rejections: z.number(), loads: z.number(), stagedLoads: z.number().int() }),
  /** Milliseconds after which a step that doesn't heartbeat is tried again. */
  heartbeatTimeout: z.number().int().min(1000),
});
export type PipelineDefinition = z.infer<typeof pipelineDefinition>;
