import { resolve } from 'node:path';
import { connectionKinds, type ConnectionSettings } from '../../connectors/settings.ts';
import type { AlertDefinition, ConnectionDefinition, StreamDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import { alertDefaults, type AlertSettings } from '../../schema/project-alert.ts';
import { eventsHeartbeatTimeout, pipelineDefaults, type PipelineSettings } from '../../schema/project.ts';
import { accepted, parseAbove, parseDuration, parseShare } from '../../schema/quantity.ts';
import { alertList } from './merge.ts';
import { absoluteReferences } from './references.ts';
import type { ProjectFile } from './schema.ts';

/** What the definitions of a project are made from. */
export interface Context {
  readonly project: ProjectFile;
  readonly connections: ReadonlyMap<string, ConnectionDefinition>;
  /** SQL of each model. */
  readonly queries: ReadonlyMap<string, string>;
}

/** A connection as it travels: paths absolute to the folder, secrets as references. */
export function toConnection(name: string, settings: ConnectionSettings, folder: string): ConnectionDefinition {
  const { type } = settings;
  const absolute = (path: string) => resolve(folder, path);
  const entries = Object.entries(settings).map(([key, value]: [string, unknown]) => {
    const isPath = connectionKinds[type].paths.includes(key);
    return [key, withAbsolute(value, (text) => absoluteReferences(text, absolute, isPath))];
  });
  return { name, type, settings: Object.fromEntries(entries) };
}

/** Every text of a setting, however deep, as the function gives it. */
function withAbsolute(value: unknown, absolute: (text: string) => string): unknown {
  if (typeof value === 'string') return absolute(value);
  if (Array.isArray(value)) return value.map((item) => withAbsolute(item, absolute));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withAbsolute(item, absolute)]));
}

export function connectionOf(name: string, { connections }: Context): ConnectionDefinition {
  const connection = connections.get(name);
  if (connection === undefined) throw new MillraceError('config', `There is no connection "${name}".`);
  return connection;
}

/** Alerts of a pipeline, model or sync, or else those of `defaults`. */
export function toAlerts(alerts: PipelineSettings['alerts'], context: Context): AlertDefinition[] {
  return alertList(alerts ?? context.project.defaults?.alerts).map((alert) => toAlert(alert, context));
}

function toAlert({ to, on, rejected }: AlertSettings, context: Context): AlertDefinition {
  const settings = context.project.connections[to];
  return {
    to: connectionOf(to, context),
    on: [...(on ?? alertDefaults)],
    ...(rejected === undefined ? {} : { rejectedShare: accepted(parseAbove, rejected) }),
    template: settings?.type === 'webhook' ? (settings.template ?? 'json') : 'json',
  };
}

export function heartbeatTimeout(
  settings: { readonly heartbeat_timeout?: string | undefined },
  { project }: Context,
  from?: ConnectionDefinition['type'],
): number {
  const otherwise = from === 'ingest' ? eventsHeartbeatTimeout : pipelineDefaults.heartbeat_timeout;
  return accepted(parseDuration, settings.heartbeat_timeout ?? project.defaults?.heartbeat_timeout ?? otherwise);
}

export const toShare = (text: string): number => accepted(parseShare, text);

/** A number of rows, or a share of them. */
export function toMaxRejected(limit: string | number): StreamDefinition['maxRejected'] {
  return typeof limit === 'number' ? { rows: limit } : { share: toShare(limit) };
}
