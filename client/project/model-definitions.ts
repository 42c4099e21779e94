import { definitionFormat, type ModelDefinition } from '../../schema/definition.ts';
import type { ModelSettings } from '../../schema/project.ts';
import { connectionOf, heartbeatTimeout, toAlerts, type Context } from './connection-definitions.ts';
import { listOf } from './merge.ts';
import { warehouseOf } from './rules-model.ts';

export function toModel(name: string, settings: ModelSettings, context: Context): ModelDefinition {
  const { project, queries } = context;
  return {
    format: definitionFormat,
    project: project.project,
    name,
    warehouse: connectionOf(warehouseOf(project, settings) ?? '', context),
    sql: queries.get(name) ?? '',
    build: settings.build ?? 'none',
    ...target(settings),
    ...(settings.key === undefined ? {} : { key: [...listOf(settings.key)] }),
    after: settings.after ?? [],
    ...(settings.expect === undefined ? {} : { expect: { expect: settings.expect } }),
    alerts: toAlerts(settings.alerts, context),
    heartbeatTimeout: heartbeatTimeout(settings, context),
  };
}

function target({ into }: ModelSettings): Pick<ModelDefinition, 'into'> {
  if (into === undefined) return {};
  const [schema = '', table = ''] = into.split('.');
  return { into: { schema, table } };
}

/** The models that follow a pipeline, directly or after one another; each stands after those it waits for. */
export function modelsAfter(pipeline: string, models: ReadonlyMap<string, ModelDefinition>): ModelDefinition[] {
  const following = new Set<string>([pipeline]);
  for (let size = 0; size < following.size;) {
    size = following.size;
    for (const { name, after } of models.values()) if (after.some((other) => following.has(other))) following.add(name);
  }
  const ordered: ModelDefinition[] = [];
  const visit = (model: ModelDefinition | undefined): void => {
    if (model === undefined || ordered.includes(model) || !following.has(model.name)) return;
    for (const other of model.after) visit(models.get(other));
    ordered.push(model);
  };
  for (const model of models.values()) visit(model);
  return ordered;
}
