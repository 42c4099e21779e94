import type { ApiSettings } from '../../schema/project-api.ts';
import { limitOf } from './api-definitions.ts';
import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import { listOf } from './merge.ts';
import { keyOfApi, modelOf, warehouseOfApi } from './published-dataset.ts';
import { connectionFindings } from './rules-connection.ts';
import { warehouseOf } from './rules-model.ts';
import { relationFindings } from './rules-relation.ts';
import { rowRuleFindings } from './rules-row.ts';
import type { ProjectFile } from './schema.ts';

type RoleSettings = ApiSettings['roles'][string];

/** What is wrong with the APIs: what they publish, where it is, and what each role sees of it. */
export function apiFindings(project: ProjectFile): readonly Finding[] {
  return Object.entries(project.apis ?? {}).flatMap(([name, api]) => {
    const path: Path = ['apis', name];
    return [
      ...datasetFindings(project, api, path),
      ...warehouseFindings(project, api, path),
      ...keyFindings(project, api, path),
      ...relationFindings(project, api, path),
      ...Object.entries(api.roles).flatMap(([role, settings]) => roleFindings(project, api, settings, [...path, 'roles', role])),
      ...anonymousFindings(api, [...path, 'roles', 'anonymous', 'rows']),
      ...rateFindings(api, path),
      ...limitFindings(api, path),
    ];
  });
}

function datasetFindings({ models = {} }: ProjectFile, { dataset, model }: ApiSettings, path: Path): readonly Finding[] {
  if (dataset === undefined && model === undefined)
    return [wrong(path, 'needs "dataset", as in "marts.customers", or "model": what it publishes.', 'name')];
  if (model === undefined) return [];
  if (dataset !== undefined) return [wrong([...path, 'model'], 'stands beside "dataset": an API publishes one of them.')];
  if (Object.hasOwn(models, model)) return [];
  return [wrong([...path, 'model'], `names "${model}", which is no model.${suggestion(model, Object.keys(models))}`)];
}

function warehouseFindings(project: ProjectFile, api: ApiSettings, path: Path): readonly Finding[] {
  const model = modelOf(project, api);
  const { warehouse } = api;
  if (warehouse === undefined) {
    if (model !== undefined || warehouseOfApi(project, api) !== undefined) return [];
    return [wrong(path, 'needs "warehouse": there is not just one connection it could be in.', 'name')];
  }
  const findings = connectionFindings(project, warehouse, [...path, 'warehouse'], 'warehouse');
  const own = model === undefined ? warehouse : (warehouseOf(project, model) ?? warehouse);
  if (findings.length > 0 || own === warehouse) return findings;
  return [wrong([...path, 'warehouse'], `is "${warehouse}", but the model "${api.model}" is in "${own}": leave it out.`)];
}

function keyFindings(project: ProjectFile, api: ApiSettings, path: Path): readonly Finding[] {
  const key = listOf(api.key);
  const again = key.findIndex((column, index) => key.indexOf(column) !== index);
  if (again !== -1) return [wrong([...path, 'key', again], `names the column "${key[again]}" a second time.`)];
  if (keyOfApi(project, api).length > 0) return [];
  if (api.model === undefined) return [wrong(path, 'needs "key": the column or columns that identify a row.', 'name')];
  if (modelOf(project, api) === undefined) return [];
  return [wrong(path, `needs "key", here or in the model "${api.model}": the column or columns that identify a row.`, 'name')];
}

function roleFindings(project: ProjectFile, api: ApiSettings, role: RoleSettings, path: Path): readonly Finding[] {
  return [
    ...Object.entries(role.mask ?? {}).flatMap(([column, kind]) => maskFindings(project, api, role, [...path, 'mask', column], kind)),
    ...(role.rows === undefined ? [] : rowRuleFindings(role.rows, [...path, 'rows'])),
  ];
}

function anonymousFindings({ roles: { anonymous } }: ApiSettings, path: Path): readonly Finding[] {
  if (anonymous?.rows?.includes('${claim:') !== true) return [];
  return [wrong(path, 'goes by a claim, which only tokens have: callers without one would see nothing.')];
}

function maskFindings(project: ProjectFile, api: ApiSettings, { fields }: RoleSettings, path: Path, kind: string): readonly Finding[] {
  const column = String(path.at(-1));
  if (keyOfApi(project, api).includes(column))
    return [wrong(path, 'is of the key, which a role always sees: it cannot be masked.', 'name')];
  if (Object.hasOwn(api.relations ?? {}, column)) return [wrong(path, 'is a relation; only columns can be masked.', 'name')];
  if (fields !== 'all' && !fields.includes(column)) {
    return [wrong(path, `is not in the role's "fields", so nobody sees it.${suggestion(column, fields)}`, 'name')];
  }
  if (kind !== 'hash' || project.gateway?.mask_key !== undefined) return [];
  return [wrong(path, 'is "hash", which needs a key: write "mask_key" under "gateway", by reference.')];
}

function rateFindings({ rate, roles }: ApiSettings, path: Path): readonly Finding[] {
  if (rate === undefined || typeof rate === 'string') return [];
  const known = Object.keys(roles);
  return Object.keys(rate)
    .filter((role) => !known.includes(role))
    .map((role) => wrong([...path, 'rate', role], `is no role of this API.${suggestion(role, known)}`, 'name'));
}

function limitFindings(api: ApiSettings, path: Path): readonly Finding[] {
  const limit = limitOf(api);
  if (limit.default <= limit.max) return [];
  return [wrong([...path, 'limit', 'default'], `is more than "max", which is ${limit.max}.`)];
}
