import { z } from 'zod';
import { alerts } from './project-alert.ts';
import { sharedStreamSettings, streamSettings } from './project-stream.ts';
import { apiSettings } from './project-api.ts';
import { gatewaySettings } from './project-gateway.ts';
import { syncSettings } from './project-sync.ts';
import { atLeastSecond, cadence, duration, size } from './quantity.ts';
import { scheduleSettings } from './schedule.ts';
import { stepSchemas } from './step.ts';

/** What a setting is when neither the pipeline nor `defaults` gives it. */
export const pipelineDefaults = {
  parallel: { streams: 2, partitions: 2 },
  partition_size: '64 MB',
  heartbeat_timeout: '60s',
  retention: { rejections: '30 days', loads: '90 days', staged_loads: 2 },
} as const;

/** Steps of events are short, and people wait for them: one whose worker was killed is done again sooner. Longer than a connection may take. */
export const eventsHeartbeatTimeout = '20s';

const identifier = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be a name: letters, digits, "_" and "-", beginning with a letter, at most 63');

export const retentionSettings = z
  .strictObject({
    rejections: duration()
      .meta({ description: 'How long rejected rows are kept.', default: pipelineDefaults.retention.rejections })
      .optional(),
    loads: duration().meta({ description: 'How long the books of loads are kept.', default: pipelineDefaults.retention.loads }).optional(),
    staged_loads: z
      .number()
      .int()
      .min(0)
      .meta({
        description: 'Of how many finished loads of a stream the staged files are kept.',
        default: pipelineDefaults.retention.staged_loads,
      })
      .optional(),
  })
  .describe('How long things are kept.');

const count = z.number().int().min(1).max(64);
export const parallelSettings = z
  .strictObject({
    streams: count
      .meta({ description: 'Streams of a run loaded at the same time.', default: pipelineDefaults.parallel.streams })
      .optional(),
    partitions: count
      .meta({ description: 'Partitions of a stream that a step works on at the same time.', default: pipelineDefaults.parallel.partitions })
      .optional(),
  })
  .describe('How much is done at the same time.');

/** Settings of a pipeline that `defaults` may give for all. */
const sharedPipelineSettings = {
  alerts: alerts.optional(),
  expect_every: cadence()
    .describe('Without a success for longer than this the pipeline is late. Events are late too when none come, unless this is a default.')
    .optional(),
  retention: retentionSettings.optional(),
  parallel: parallelSettings.optional(),
  partition_size: size()
    .meta({ description: 'Bytes aimed at for one partition; a step redoes at most one.', default: pipelineDefaults.partition_size })
    .optional(),
  heartbeat_timeout: atLeastSecond()
    .meta({
      description: `A step that shows no progress for this long is tried again elsewhere; at least a second. Of events ${eventsHeartbeatTimeout} where it is not given.`,
      default: pipelineDefaults.heartbeat_timeout,
    })
    .optional(),
};

export const defaultsSettings = z
  .strictObject({ ...sharedStreamSettings, ...sharedPipelineSettings })
  .describe('Settings for all pipelines and streams that do not give their own; syncs take `alerts` and `heartbeat_timeout`.');

export const pipelineSettings = z
  .strictObject({
    from: z.string().min(1).describe('The connection that is read.'),
    to: z
      .string()
      .regex(/^[^.]+\.[^.]+$/, 'must be a connection and a schema, as in "warehouse.sales"')
      .describe('The connection and schema that is loaded: `warehouse.sales`.'),
    schedule: scheduleSettings.optional(),
    streams: z
      .record(z.string().min(1), streamSettings)
      .refine((streams) => Object.keys(streams).length > 0, 'must name at least one stream')
      .describe('Stream or pattern to its settings. An exact name goes before a pattern that matches it.'),
    ...sharedPipelineSettings,
  })
  .describe('Streams of one connection, loaded into one schema of a warehouse.');

export const modelSettings = z
  .strictObject({
    sql: z
      .union([
        z.string().min(1),
        z.strictObject({ file: z.string().min(1).describe('Path of the file, relative to the project file.') }).describe('A file.'),
      ])
      .describe("A SELECT in the warehouse's SQL, or `{ file: … }`."),
    warehouse: z.string().describe('The connection it runs in. Default: the one that all pipelines load.').optional(),
    build: z.enum(['none', 'view', 'table']).meta({ description: 'What is made of it; dependents are kept.', default: 'none' }).optional(),
    into: z
      .string()
      .regex(/^[^.]+\.[^.]+$/, 'must be a schema and a name, as in "finance.reconciliation"')
      .describe('Schema and name of the view or table: `finance.reconciliation`.')
      .optional(),
    key: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
      .describe('Column or columns that identify a row of it: never NULL, and no two rows alike, or it is not built.')
      .optional(),
    after: z.array(z.string()).describe('Pipelines and models; it runs when they have committed.').optional(),
    expect: stepSchemas.expect.shape.expect
      .describe("Rules for the rows, as in the step `expect`, `sql` being the warehouse's; a broken rule stops the build.")
      .optional(),
    schedule: scheduleSettings.optional(),
    alerts: sharedPipelineSettings.alerts,
    heartbeat_timeout: sharedPipelineSettings.heartbeat_timeout,
  })
  .describe('A query in the warehouse, perhaps built as a view or table.');

/** The project file, given the settings of the kinds of connection that there are. */
export function projectSchema<Connection extends z.ZodType>(connection: Connection) {
  return z
    .strictObject({
      project: identifier.describe('Name of the project: part of task queue, workflow ids and the books in the warehouse.'),
      connections: z.record(identifier, connection).describe('Name to connection.'),
      defaults: defaultsSettings.optional(),
      pipelines: z.record(identifier, pipelineSettings).describe('Name to pipeline.').optional(),
      models: z.record(identifier, modelSettings).describe('Name to model.').optional(),
      syncs: z.record(identifier, syncSettings).describe('Name to sync.').optional(),
      apis: z
        .record(
          z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'must be a name: letters, digits and "_", beginning with a letter, at most 63'),
          apiSettings,
        )
        .describe('Name to API.')
        .optional(),
      gateway: gatewaySettings.optional(),
    })
    .describe('A Millrace project.');
}

export type DefaultsSettings = z.infer<typeof defaultsSettings>;
export type PipelineSettings = z.infer<typeof pipelineSettings>;
export type ModelSettings = z.infer<typeof modelSettings>;
