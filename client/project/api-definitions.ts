import type { DatasetSource } from '../../schema/dataset.ts';
import type { ModelDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { ApiDefinition, RelationDefinition, RoleDefinition } from '../../schema/gateway-definition.ts';
import { apiDefaults, parseRate, type ApiSettings, type Rate } from '../../schema/project-api.ts';
import { accepted, parseDuration } from '../../schema/quantity.ts';
import type { Context } from './connection-definitions.ts';
import { apiNamed, keyOfApi, pairsOf, publishersOf, warehouseOfApi } from './published-dataset.ts';

type Models = ReadonlyMap<string, ModelDefinition>;
type RelationSettings = NonNullable<ApiSettings['relations']>[string];

/** An API with every default filled in. */
export function toApi(name: string, settings: ApiSettings, context: Context, models: Models): ApiDefinition {
  const { description, roles, cache } = settings;
  const warehouse = warehouseOfApi(context.project, settings) ?? '';
  return {
    name,
    ...(description === undefined ? {} : { description }),
    warehouse,
    source: sourceOf(settings, models),
    dataset: settings.dataset ?? settings.model ?? '',
    key: keyOfApi(context.project, settings),
    relations: Object.fromEntries(
      Object.entries(settings.relations ?? {}).map(([relation, of]) => [relation, toRelation(of, warehouse, context, models)]),
    ),
    roles: Object.fromEntries(Object.entries(roles).map(([role, of]) => [role, toRole(of)])),
    ...(cache === undefined ? {} : { cache: { ttl: accepted(parseDuration, cache.ttl), until: cache.until ?? 'load' } }),
    rates: toRates(settings.rate),
    limit: limitOf(settings),
  };
}

/** A model that is built is read where it stands; anything else by its query. */
function sourceOf({ dataset, model = '' }: ApiSettings, models: Models): DatasetSource {
  if (dataset !== undefined) return tableSource(dataset);
  const found = models.get(model);
  if (found === undefined) throw new MillraceError('config', `There is no model "${model}".`);
  return found.into === undefined ? { kind: 'query', sql: found.sql } : { kind: 'table', ...found.into };
}

function tableSource(dataset: string): DatasetSource {
  const [schema = '', table = ''] = dataset.split('.');
  return { kind: 'table', schema, table };
}

function toRelation(settings: RelationSettings, warehouse: string, context: Context, models: Models): RelationDefinition {
  const { dataset = '', fields = 'all', one = false } = settings;
  const api = settings.api ?? publishersOf(context.project, dataset, warehouse)[0];
  const other = api === undefined ? undefined : apiNamed(context.project, api);
  return {
    ...(api === undefined ? {} : { api }),
    source: other === undefined ? tableSource(dataset) : sourceOf(other, models),
    on: pairsOf(settings),
    fields,
    one,
  };
}

function toRole({ fields, rows, mask = {} }: ApiSettings['roles'][string]): RoleDefinition {
  return { fields, ...(rows === undefined ? {} : { rows }), mask };
}

/** A rate that its schema has accepted. */
export function toRate(text: string): Rate {
  const rate = parseRate(text);
  if (rate === undefined) throw new RangeError(`not a rate: ${text}`);
  return rate;
}

function toRates(rate: ApiSettings['rate'] = apiDefaults.rate): ApiDefinition['rates'] {
  const byRole = typeof rate === 'string' ? { '*': rate } : { ...rate, '*': apiDefaults.rate };
  return Object.fromEntries(Object.entries(byRole).map(([role, text]) => [role, toRate(text)]));
}

/** Rows of a page; a lower `max` lowers the default that the file doesn't give. */
export function limitOf({ limit = {} }: Pick<ApiSettings, 'limit'>): ApiDefinition['limit'] {
  const max = limit.max ?? Math.max(apiDefaults.limit.max, limit.default ?? 0);
  return { default: limit.default ?? Math.min(apiDefaults.limit.default, max), max };
}
