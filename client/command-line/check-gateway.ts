import { hostname } from 'node:os';
import type { Datasets } from '../../connectors/datasets.ts';
import type { Checked } from '../../schema/check.ts';
import type { DatasetColumn, DatasetShape, DatasetSource } from '../../schema/dataset.ts';
import type { ApiDefinition, GatewayDefinition, RoleDefinition } from '../../schema/gateway-definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import { suggestion } from '../project/finding.ts';
import { keyFindings, type Found } from './check-key.ts';
import { madeBy, type Makers } from './made-by.ts';

type Opened = ReadonlyMap<string, Datasets>;

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The gateway's role in each warehouse, and each API against the dataset as it is now. In this process, as the gateway itself asks. */
export async function checkGateway(given: GatewayDefinition, makers: Makers = { pipelines: [], models: [] }): Promise<readonly Checked[]> {
  const { openDatasets, resolveGateway } = await import('../../worker/gateway.ts');
  const { createScrubber } = await import('../../worker/secrets.ts');
  const { definition, secrets } = await resolveGateway(given, process.env);
  const scrub = createScrubber(secrets);
  const opened = new Map<string, Datasets>();
  try {
    const warehouses: Checked[] = [];
    for (const connection of definition.apis.length === 0 ? [] : definition.warehouses) {
      const found = { problems: [] as string[], warnings: [] as string[] };
      try {
        const datasets = await openDatasets(connection, { ...definition, connections: 2, timeout: definition.exportTimeout });
        opened.set(connection.name, datasets);
        found.warnings.push(...(await datasets.check()));
      } catch (error) {
        found.problems.push(sentence(error));
      }
      warehouses.push(checkedOf('gateway', connection.name, definition.role === undefined ? '' : `reads as ${definition.role}`, found));
    }
    const apis = await Promise.all(definition.apis.map(async (api) => await checkApi(api, definition, opened, makers)));
    return [...warehouses, ...apis].map((found) => ({
      ...found,
      problems: found.problems.map(scrub),
      warnings: found.warnings.map(scrub),
    }));
  } finally {
    await Promise.all([...opened.values()].map(async (datasets) => await datasets[Symbol.asyncDispose]()));
  }
}

const checkedOf = (kind: 'gateway' | 'api', name: string, system: string, { problems, warnings }: Found): Checked => ({
  kind,
  name,
  role: '',
  system,
  host: hostname(),
  problems,
  warnings,
});

async function checkApi(api: ApiDefinition, { apis }: GatewayDefinition, opened: Opened, makers: Makers): Promise<Checked> {
  const datasets = opened.get(api.warehouse);
  if (datasets === undefined)
    return checkedOf('api', api.name, api.dataset, { problems: ['its warehouse could not be asked'], warnings: [] });
  try {
    const shape = await datasets.describe(api.source);
    const columns = shape.columns.map(({ name }) => name);
    const problems = [
      ...missing('key', api.key, columns),
      ...Object.entries(api.roles).flatMap(([name, role]) => roleProblems(name, role, api, columns)),
      ...(await relationProblems(api, { apis, columns, datasets, makers })),
      ...(await rowProblems(api, shape, datasets)),
    ];
    const keyed = await keyFindings(api, shape, datasets);
    return checkedOf('api', api.name, `${api.dataset}, ${columns.length} columns`, {
      problems: [...problems, ...keyed.problems],
      warnings: keyed.warnings,
    });
  } catch (error) {
    return checkedOf('api', api.name, api.dataset, { problems: [unreadable(error, api.warehouse, api.source, makers)], warnings: [] });
  }
}

/** A sentence for each column that isn't there, with the nearest. */
function missing(what: string, names: readonly string[], columns: readonly string[]): readonly string[] {
  return names
    .filter((name) => !columns.includes(name))
    .map((name) => `${what}: there is no column "${name}".${suggestion(name, columns)}`);
}

function roleProblems(name: string, { fields, mask }: RoleDefinition, api: ApiDefinition, columns: readonly string[]): readonly string[] {
  const relations = Object.keys(api.relations);
  const named = fields === 'all' ? [] : fields.filter((field) => !relations.includes(field));
  return [
    ...missing(`roles.${name}.fields`, named, columns),
    ...missing(
      `roles.${name}.mask`,
      Object.keys(mask).filter((column) => !named.includes(column)),
      columns,
    ),
  ];
}

const isMissing = (error: unknown): boolean =>
  error instanceof MillraceError && (error.code === 'not-found' || /\(SQLSTATE (42P01|3F000)\)/.test(error.message));

/** Why a dataset can't be described; who makes it, where it isn't there yet. */
const unreadable = (error: unknown, warehouse: string, source: DatasetSource, makers: Makers): string =>
  `${sentence(error)}${isMissing(error) ? madeBy(warehouse, source, makers) : ''}`;

interface Surroundings {
  readonly apis: readonly ApiDefinition[];
  /** The API's own. */
  readonly columns: readonly string[];
  readonly datasets: Datasets;
  readonly makers: Makers;
}

async function relationProblems(
  { relations, warehouse }: ApiDefinition,
  { apis, columns, datasets, makers }: Surroundings,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [name, { on, source, fields, api }] of Object.entries(relations)) {
    const what = `relations.${name}`;
    if (columns.includes(name)) problems.push(`${what}: a column has that name; give the relation another one`);
    problems.push(
      ...missing(
        `${what}.on`,
        on.map(([own]) => own),
        columns,
      ),
    );
    const other = apis.find((one) => one.name === api)?.source ?? source;
    const others = await otherColumns(other, datasets, (error) => unreadable(error, warehouse, other, makers));
    if (typeof others === 'string') {
      // An API that it leads to says so itself.
      if (api === undefined) problems.push(`${what}: ${others}`);
    } else {
      problems.push(
        ...missing(
          `${what}.on`,
          on.map(([, other]) => other),
          others,
        ),
      );
      problems.push(...missing(`${what}.fields`, fields === 'all' ? [] : fields, others));
    }
  }
  return problems;
}

/** Columns of the other dataset, or why there are none. */
async function otherColumns(
  source: DatasetSource,
  datasets: Datasets,
  why: (error: unknown) => string,
): Promise<readonly string[] | string> {
  try {
    return (await datasets.describe(source)).columns.map(({ name }) => name);
  } catch (error) {
    return why(error);
  }
}

/** Asks for one row by the rule of each role, with claims that match nothing. */
async function rowProblems(
  { source, key, roles, dataset }: ApiDefinition,
  { columns }: DatasetShape,
  datasets: Datasets,
): Promise<readonly string[]> {
  const byName: Readonly<Record<string, DatasetColumn>> = Object.fromEntries(columns.map((column) => [column.name, column]));
  if (key.some((name) => byName[name] === undefined)) return [];
  const problems: string[] = [];
  for (const [name, { rows }] of Object.entries(roles)) {
    if (rows === undefined) continue;
    const parts = rows.split(/\$\{claim:[^}]+\}/);
    try {
      await datasets.read({
        kind: 'read',
        source,
        rules: [{ parts, values: parts.slice(1).map(() => null) }],
        columns: byName,
        fields: key.map((column) => ({ kind: 'column', as: column, column })),
        sort: key.map((column) => ({ column, descending: false })),
        limit: 1,
        cursorPrefix: '',
        shape: { kind: 'rows' },
      });
    } catch (error) {
      problems.push(`roles.${name}.rows: ${ruleFault(error, dataset, Object.keys(byName))}`);
    }
  }
  return problems;
}

/** A column that isn't there, with the nearest; all else in the warehouse's words. */
function ruleFault(error: unknown, dataset: string, columns: readonly string[]): string {
  const unknown = /column "?([^"\s]+)"? does not exist \(SQLSTATE 42703\)$/.exec(sentence(error))?.[1];
  if (unknown === undefined) return sentence(error);
  return `column "${unknown}" does not exist in ${dataset}.${suggestion(unknown.slice(unknown.lastIndexOf('.') + 1), columns)}`;
}
