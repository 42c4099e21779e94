import { resolve } from 'node:path';
import { connectionKinds, type ConnectionSettings } from '../../connectors/settings.ts';
import type { AlertDefinition, ConnectionDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import { pipelineDefaults, type AlertSettings, type PipelineSettings } from '../../schema/project.ts';
import { accepted, parseDuration, parseShare } from '../../schema/quantity.ts';
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
  const entries = Object.entries(settings).map(([key, value]) => {
    const isPath = connectionKinds[type].paths.includes(key);
    return [key, typeof value === 'string' ? absoluteReferences(value, absolute, isPath) : value];
  });
  return { name, type, settings: Object.fromEntries(entries) };
}

export function connectionOf(name: string, { connections }: Context): ConnectionDefinition {
  const connection = connections.get(name);
  if (connection === undefined) throw new MillraceError('config', `There is no connection "${name}".`);
  return connection;
}

/** Alerts of a pipeline or model, or else those of `defaults`. */
export function toAlerts(alerts: PipelineSettings['alerts'], context: Context): AlertDefinition[] {
  return alertList(alerts ?? context.project.defaults?.alerts).map((alert) => toAlert(alert, context));
}

function toAlert({ to, on, rejected_share: share }: AlertSettings, context: Context): AlertDefinition {
  const settings = context.project.connections[to];
  return {
    to: connectionOf(to, context),
    on: [...(on ?? pipelineDefaults.alert_on)],
    ...(share === undefined ? {} : { rejectedShare: accepted(parseShare, share) }),
    template: settings?.type === 'webhook' ? (settings.template ?? 'json') : 'json',
  };
}

export function heartbeatTimeout(settings: { readonly heartbeat_timeout?: string | undefined }, { project }: Context): number {
  return accepted(parseDuration, settings.heartbeat_timeout ?? project.defaults?.heartbeat_timeout ?? pipelineDefaults.heartbeat_timeout);
}
