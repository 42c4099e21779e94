import type { AlertSettings } from '../../schema/project-alert.ts';
import type { DefaultsSettings, PipelineSettings } from '../../schema/project.ts';
import type { StreamSettings } from '../../schema/project-stream.ts';

/** A stream's settings over those of `defaults` that apply to its mode and cursor. */
export function mergedStream(defaults: DefaultsSettings | undefined, settings: StreamSettings): StreamSettings {
  const { mode, null_cursor, look_back, contract, deletes, reconcile, guards, on_failure, max_rejected, protect } = defaults ?? {};
  const always = { mode, contract, guards, on_failure, max_rejected, protect };
  const effective = settings.mode ?? mode;
  const withCursor = settings.cursor === undefined ? {} : { null_cursor, look_back };
  const withDeletes = effective === 'merge' || effective === 'history' ? { deletes } : {};
  const reconciled = effective === 'merge' && settings.cursor !== undefined ? { reconcile } : {};
  return defined({ ...always, ...withCursor, ...withDeletes, ...reconciled, ...settings });
}

/** Leaves out what is undefined, so that a later spread doesn't blot an earlier value out. */
function defined(settings: { readonly [Name in keyof StreamSettings]?: StreamSettings[Name] | undefined }): StreamSettings {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

/** Later layers over earlier ones; what a layer doesn't give stays. */
export function layered<T extends object>(
  base: T,
  ...layers: readonly ({ readonly [Name in keyof T]?: T[Name] | undefined } | undefined)[]
): T {
  const result = { ...base };
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer ?? {})) if (value !== undefined) Reflect.set(result, name, value);
  }
  return result;
}

/** Alerts in their longest form. */
export function alertList(alerts: PipelineSettings['alerts']): readonly AlertSettings[] {
  const list = Array.isArray(alerts) ? alerts : alerts === undefined ? [] : [alerts];
  return list.map((alert) => (typeof alert === 'string' ? { to: alert } : alert));
}

export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
