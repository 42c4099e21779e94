import { definitionFormat, type ConnectionDefinition, type ModelDefinition, type PipelineDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import { pipelineDefaults, type PipelineSettings } from '../../schema/project.ts';
import { accepted, parseCadence, parseDuration, parseSize } from '../../schema/quantity.ts';
import { toSchedule, toSyncSchedule, type Schedule } from '../../schema/schedule.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { connectionOf, heartbeatTimeout, toAlerts, toConnection, type Context } from './connection-definitions.ts';
import { toGateway } from './gateway-definitions.ts';
import { definitionHash } from './hash.ts';
import type { LoadedProject } from './load.ts';
import { layered } from './merge.ts';
import { modelsAfter, toModel } from './model-definitions.ts';
import { toStreams } from './stream-definitions.ts';
import { toSync } from './sync-definitions.ts';

const maxDefinitionBytes = 256 * 1024;

/** A definition as it travels to workflows, with its hash and what starts it by itself. */
interface Defined<Definition> {
  readonly definition: Definition;
  /** Of the definition and schedule: another one means that what is applied is not what the file says. */
  readonly hash: string;
  readonly schedule: Schedule | undefined;
}

/** Everything that a project file defines, by name. */
export interface Definitions {
  readonly project: string;
  readonly connections: ReadonlyMap<string, ConnectionDefinition>;
  readonly pipelines: ReadonlyMap<string, Defined<PipelineDefinition>>;
  readonly models: ReadonlyMap<string, Defined<ModelDefinition>>;
  readonly syncs: ReadonlyMap<string, Defined<SyncDefinition>>;
  /** Undefined for a project that publishes nothing and takes no events in. */
  readonly gateway: GatewayDefinition | undefined;
}

/** Fills in every default; paths become absolute, secrets stay references. Throws `config` when a definition is too large to travel. */
export function toDefinitions(loaded: LoadedProject): Definitions {
  const { project, folder } = loaded;
  const connections = mapped(project.connections, (name, settings) => toConnection(name, settings, folder));
  const context: Context = { project, connections, queries: loaded.queries };
  const models = mapped(project.models, (name, settings) => toModel(name, settings, context));
  const pipelines = mapped(project.pipelines, (name, settings) =>
    defined({ ...toPipeline(name, settings, context), models: modelsAfter(name, models) }, scheduleOf(settings.schedule)),
  );
  return {
    project: loaded.name,
    connections,
    pipelines,
    models: new Map([...models].map(([name, model]) => [name, defined(model, scheduleOf(project.models?.[name]?.schedule))])),
    syncs: mapped(project.syncs, (name, settings) =>
      defined(toSync(name, settings, { context, models }), settings.schedule === undefined ? undefined : toSyncSchedule(settings.schedule)),
    ),
    gateway: toGateway({ ...context, folder, models, pipelines: [...pipelines.values()].map(({ definition }) => definition) }),
  };
}

function mapped<From, To>(
  from: Readonly<Record<string, From>> | undefined,
  map: (name: string, value: From) => To,
): ReadonlyMap<string, To> {
  return new Map(Object.entries(from ?? {}).map(([name, value]) => [name, map(name, value)]));
}

function scheduleOf(settings: PipelineSettings['schedule']): Schedule | undefined {
  return settings === undefined ? undefined : toSchedule(settings);
}

function defined<Definition extends { readonly name: string }>(
  definition: Definition,
  schedule: Schedule | undefined,
): Defined<Definition> {
  const bytes = Buffer.byteLength(JSON.stringify(definition));
  if (bytes > maxDefinitionBytes) {
    throw new MillraceError(
      'config',
      `The definition of ${definition.name} has ${bytes} bytes; at most ${maxDefinitionBytes} can travel to workflows. Split it.`,
    );
  }
  return { definition, schedule, hash: definitionHash({ definition, schedule }) };
}

interface Parallel {
  readonly streams: number;
  readonly partitions: number;
}

interface Retention {
  readonly rejections: string;
  readonly loads: string;
  readonly staged_loads: number;
}

function toPipeline(name: string, settings: PipelineSettings, context: Context): Omit<PipelineDefinition, 'models'> {
  const defaults = context.project.defaults ?? {};
  const [warehouse = '', schema = ''] = settings.to.split('.');
  const parallel = layered<Parallel>(pipelineDefaults.parallel, defaults.parallel, settings.parallel);
  const from = connectionOf(settings.from, context);
  const expectEvery = settings.expect_every ?? defaults.expect_every;
  return {
    format: definitionFormat,
    project: context.project.project,
    name,
    from,
    to: connectionOf(warehouse, context),
    schema,
    streams: toStreams(settings, defaults),
    parallelStreams: parallel.streams,
    parallelPartitions: parallel.partitions,
    partitionBytes: accepted(parseSize, settings.partition_size ?? defaults.partition_size ?? pipelineDefaults.partition_size),
    alerts: toAlerts(settings.alerts, context),
    ...(expectEvery === undefined ? {} : { expectEvery: accepted(parseCadence, expectEvery) }),
    ...(settings.expect_every === undefined || from.type !== 'ingest' ? {} : { expectsEvents: true as const }),
    retention: toRetention(layered<Retention>(pipelineDefaults.retention, defaults.retention, settings.retention)),
    heartbeatTimeout: heartbeatTimeout(settings, context, from.type),
  };
}

function toRetention(settings: Retention): PipelineDefinition['retention'] {
  return {
    rejections: accepted(parseDuration, settings.rejections),
    loads: accepted(parseDuration, settings.loads),
    stagedLoads: settings.staged_loads,
  };
}
