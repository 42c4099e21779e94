import type { ApiSettings } from '../../schema/project-api.ts';
import { listOf } from './merge.ts';
import { warehouseOf } from './rules-model.ts';
import type { ProjectFile } from './schema.ts';

type Relation = NonNullable<ApiSettings['relations']>[string];

/** An API's settings; undefined when there is none of the name. */
export function apiNamed({ apis = {} }: ProjectFile, name: string): ApiSettings | undefined {
  return Object.hasOwn(apis, name) ? apis[name] : undefined;
}

/** The model that an API publishes. */
export function modelOf({ models = {} }: ProjectFile, { model }: ApiSettings): NonNullable<ProjectFile['models']>[string] | undefined {
  return model !== undefined && Object.hasOwn(models, model) ? models[model] : undefined;
}

/** The connection that an API's dataset is in: its own, its model's, or the one that all pipelines load. */
export function warehouseOfApi(project: ProjectFile, api: ApiSettings): string | undefined {
  const model = modelOf(project, api);
  if (api.warehouse !== undefined || model === undefined) return warehouseOf(project, api);
  return warehouseOf(project, model);
}

export function keyOfApi(project: ProjectFile, api: ApiSettings): readonly string[] {
  return listOf(api.key ?? modelOf(project, api)?.key);
}

/** `schema.table` of what an API publishes; undefined for a query. */
function tableOfApi(project: ProjectFile, api: ApiSettings): string | undefined {
  const model = modelOf(project, api);
  if (model === undefined) return api.dataset;
  return (model.build ?? 'none') === 'none' ? undefined : model.into;
}

/** Names of the APIs that publish a dataset of a warehouse. */
export function publishersOf(project: ProjectFile, dataset: string, warehouse: string | undefined): readonly string[] {
  return Object.entries(project.apis ?? {}).flatMap(([name, api]) =>
    tableOfApi(project, api) === dataset && warehouseOfApi(project, api) === warehouse ? [name] : [],
  );
}

/** Own column to the other's, whichever way it is written. */
export function pairsOf({ on }: Pick<Relation, 'on'>): readonly (readonly [string, string])[] {
  if (typeof on === 'string') return [[on, on]];
  return Array.isArray(on) ? on.map((column): [string, string] => [column, column]) : Object.entries(on);
}
