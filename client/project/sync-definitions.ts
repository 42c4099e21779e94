import { definitionFormat, type ModelDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import { syncDefaults, type SyncSettings } from '../../schema/project-sync.ts';
import { accepted, parseCadence, parseDuration } from '../../schema/quantity.ts';
import { minIntervalOf } from '../../schema/schedule.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { connectionOf, heartbeatTimeout, toAlerts, toMaxRejected, toShare, type Context } from './connection-definitions.ts';
import { layered } from './merge.ts';

/** A pair of the project file: model column to the application's field. */
interface Pair {
  readonly column: string;
  readonly field: string;
}

/** A sync with every default filled in; its model is one of those given. */
export function toSync(
  name: string,
  settings: SyncSettings,
  { context, models }: { readonly context: Context; readonly models: ReadonlyMap<string, ModelDefinition> },
): SyncDefinition {
  const model = models.get(settings.from);
  if (model?.key === undefined) throw new MillraceError('config', `There is no model "${settings.from}" with a key.`);
  const { expect_every: expectEvery, state } = settings;
  const { connection, object } = destinationOf(settings);
  return {
    format: definitionFormat,
    project: context.project.project,
    name,
    model: readModel(model, model.key),
    warehouse: model.warehouse,
    state: state === undefined ? model.warehouse : connectionOf(state.connection, context),
    to: connectionOf(connection, context),
    object,
    match: matchOf(settings, model.key),
    map: mapOf(settings),
    ...choicesOf(settings),
    write: settings.write ?? {},
    alerts: toAlerts(settings.alerts, context),
    ...(expectEvery === undefined ? {} : { expectEvery: accepted(parseCadence, expectEvery) }),
    retention: retentionOf(settings),
    minInterval: minIntervalOf(settings.schedule),
    heartbeatTimeout: heartbeatTimeout(settings, context),
  };
}

/** `crm.lists/42` is the object `lists/42` of the connection `crm`. */
export function destinationOf({ to }: Pick<SyncSettings, 'to'>): { readonly connection: string; readonly object: string } {
  const [connection = ''] = to.split('.', 1);
  return { connection, object: to.slice(connection.length + 1) };
}

/** Columns that find the application's object; the model's key, where the file doesn't say. */
export function matchOf({ match }: Pick<SyncSettings, 'match'>, key: readonly string[]): Pair[] {
  return pairs(match ?? [...key]).map(({ column, value }) => ({ column, field: value }));
}

/** Columns that are written, with their fields. */
export function mapOf({ map }: Pick<SyncSettings, 'map'>): SyncDefinition['map'] {
  return pairs(map ?? []).map(({ column, value }) => {
    const { to, when_null: whenNull = syncDefaults.when_null } = typeof value === 'string' ? { to: value } : value;
    return { column, field: to, whenNull };
  });
}

function pairs<Value>(given: Readonly<Record<string, Value>> | readonly string[]): readonly { column: string; value: Value | string }[] {
  if (Array.isArray(given)) return given.map((column: string) => ({ column, value: column }));
  return Object.entries(given).map(([column, value]) => ({ column, value }));
}

/** A built table is read as it stands; anything else by its query. */
function readModel({ name, sql, build, into, after }: ModelDefinition, key: readonly string[]): SyncDefinition['model'] {
  if (build !== 'table' || into === undefined) return { name, sql, key: [...key], after: [...after] };
  return { name, sql: `SELECT * FROM ${quoted(into.schema)}.${quoted(into.table)}`, key: [...key], after: [...after, name] };
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

type Choices = Pick<SyncDefinition, 'mode' | 'deletes' | 'maxDeleted' | 'maxRejected' | 'whenUnknown' | 'mappingChange'>;

function choicesOf(settings: SyncSettings): Choices {
  const complete = layered<{ readonly [Name in ChoiceName]: NonNullable<SyncSettings[Name]> }>(syncDefaults, settings);
  return {
    mode: complete.mode,
    deletes: complete.deletes,
    maxDeleted: toShare(settings.guards?.deletes ?? syncDefaults.guards.deletes),
    maxRejected: toMaxRejected(complete.max_rejected),
    whenUnknown: complete.when_unknown,
    mappingChange: complete.mapping_change,
  };
}
type ChoiceName = 'mode' | 'deletes' | 'max_rejected' | 'when_unknown' | 'mapping_change';

function retentionOf({ retention }: SyncSettings): SyncDefinition['retention'] {
  const { log, runs } = layered<{ readonly log: string; readonly runs: string }>(syncDefaults.retention, retention);
  return { log: accepted(parseDuration, log), runs: accepted(parseDuration, runs) };
}
