import { createHash } from 'node:crypto';
import type { Datasets } from '../connectors/datasets.ts';
import { isProvenKey, type DatasetShape, type DatasetSource } from '../schema/dataset.ts';
import { MillraceError } from '../schema/errors.ts';
import type { ApiDefinition, GatewayDefinition } from '../schema/gateway-definition.ts';
import type { Catalog, PublishedApi } from './catalog.ts';
import type { GatewayLog } from './context.ts';

/** A catalog that follows its datasets. */
export interface LiveCatalog extends Catalog {
  /** Equal for catalogs that publish the same in the same way, also of other processes and after a restart. */
  readonly fingerprint: string;
  /** Warehouses that could not be reached when they were last asked. */
  readonly unreachable: ReadonlySet<string>;
  /** Names of the APIs that are not published, each with its reason. */
  readonly missing: ReadonlyMap<string, string>;
  /** Describes the datasets of these APIs again, or of all. Requests go on with what was described before. */
  refresh(names?: readonly string[]): Promise<void>;
}

/** The APIs that a commit may have brought into being: what a missing one reads isn't known. None while a warehouse is away, which would hold up all others. */
export const missingApis = ({ missing, unreachable }: Pick<LiveCatalog, 'missing' | 'unreachable'>): readonly string[] =>
  unreachable.size > 0 ? [] : [...new Set([...missing.keys()].map((name) => name.split('.', 1)[0] ?? name))];

/** Describes datasets again; rejects never, the log says what went wrong. */
export async function describeAgain(catalog: Pick<LiveCatalog, 'refresh'>, log: GatewayLog, names?: readonly string[]): Promise<void> {
  try {
    await catalog.refresh(names);
  } catch (error) {
    log.error({ error: String(error) }, 'datasets could not be described');
  }
}

type Describer = Pick<Datasets, 'describe'>;

/** Why an API can not be published with what the warehouse has: a mask of a column that is gone would let its new name be seen. */
function unfit({ key, roles, relations }: ApiDefinition, { columns }: DatasetShape): string | undefined {
  const has = (name: string): boolean => columns.some((column) => column.name === name);
  const noKey = key.find((name) => !has(name));
  if (noKey !== undefined) return `it has no column "${noKey}", which is its key`;
  for (const [role, { mask }] of Object.entries(roles)) {
    const gone = Object.keys(mask).find((name) => !has(name));
    if (gone !== undefined) return `it has no column "${gone}", which is masked for ${role}`;
  }
  for (const [name, { on }] of Object.entries(relations)) {
    const loose = on.find(([own]) => !has(own))?.[0];
    if (loose !== undefined) return `it has no column "${loose}", on which the relation ${name} is`;
  }
  return undefined;
}

/** What of an API callers can tell apart: not the estimate of rows. */
const essence = ({ shape, relationShapes }: PublishedApi): string =>
  JSON.stringify([
    { columns: shape.columns, reads: shape.reads },
    [...relationShapes].map(([name, { columns, reads }]) => [name, columns, reads]),
  ]);

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

type Published = Pick<GatewayDefinition, 'apis' | 'role' | 'maskKey' | 'warehouses'>;

export class FollowedCatalog implements LiveCatalog {
  readonly #definition: Published;
  readonly #warehouses: ReadonlyMap<string, Describer>;
  readonly #log: GatewayLog;
  readonly #published = new Map<string, PublishedApi>();
  readonly #essences = new Map<string, string>();
  readonly #doubted = new Set<string>();
  #apis: readonly PublishedApi[] = [];
  #wanted: Set<string> | undefined;
  #under: Promise<void> | undefined;
  generation = 0;
  fingerprint = '';
  readonly unreachable = new Set<string>();
  readonly missing = new Map<string, string>();

  constructor(definition: Published, warehouses: ReadonlyMap<string, Describer>, log: GatewayLog) {
    this.#definition = definition;
    this.#warehouses = warehouses;
    this.#log = log;
  }

  get apis(): readonly PublishedApi[] {
    return this.#apis;
  }

  api(name: string): PublishedApi | undefined {
    return this.#published.get(name);
  }

  /** Who asks while it is being done waits for the next time: what is under way may have looked before. */
  async refresh(names: readonly string[] = this.#definition.apis.map(({ name }) => name)): Promise<void> {
    const wanted = (this.#wanted ??= new Set());
    for (const name of names) wanted.add(name);
    await this.#under;
    if (this.#wanted !== undefined) this.#start(this.#wanted);
    await this.#under;
  }

  #start(names: ReadonlySet<string>): void {
    this.#wanted = undefined;
    this.#under = this.#describe(names).finally(() => (this.#under = undefined));
  }

  async #describe(names: ReadonlySet<string>): Promise<void> {
    const described = new Map<string, Promise<DatasetShape>>();
    const away = new Set<string>();
    const shapeOf = (warehouse: string, source: DatasetSource): Promise<DatasetShape> => {
      const key = JSON.stringify([warehouse, source]);
      const known = described.get(key) ?? this.#shape(warehouse, source, away);
      described.set(key, known);
      return known;
    };
    const chosen = this.#definition.apis.filter(({ name }) => names.has(name));
    const found = await Promise.all(chosen.map(async (definition) => ({ definition, api: await this.#publish(definition, shapeOf) })));
    for (const { warehouse } of chosen) {
      if (away.has(warehouse)) this.unreachable.add(warehouse);
      else this.unreachable.delete(warehouse);
    }
    let isOther = false;
    for (const { definition, api } of found) if (this.#take(definition.name, api)) isOther = true;
    this.#apis = this.#definition.apis.flatMap(({ name }) => this.#published.get(name) ?? []);
    if (!isOther) return;
    this.generation += 1;
    this.fingerprint = this.#digest();
  }

  /** Undefined when it can't be published; what is published already when the warehouse can't be asked. */
  async #publish(
    definition: ApiDefinition,
    shapeOf: (warehouse: string, source: DatasetSource) => Promise<DatasetShape>,
  ): Promise<PublishedApi | undefined> {
    try {
      const shape = await shapeOf(definition.warehouse, definition.source);
      const wrong = unfit(definition, shape);
      if (wrong !== undefined)
        throw new MillraceError('schema', `${definition.dataset} can not be published as ${definition.name}: ${wrong}`);
      const others = Object.entries(definition.relations).filter(([, { api }]) => api === undefined);
      const shapes = await Promise.all(
        others.map(
          async ([name, { source }]) => [name, await this.#relationShape(definition, name, shapeOf(definition.warehouse, source))] as const,
        ),
      );
      this.#tell(definition.name, undefined);
      this.#doubt(definition, shape);
      return {
        definition,
        shape,
        relationShapes: new Map(shapes.flatMap(([name, found]) => (found === undefined ? [] : [[name, found]]))),
      };
    } catch (error) {
      this.#tell(definition.name, reasonOf(error));
      return isAway(error) ? this.#published.get(definition.name) : undefined;
    }
  }

  /** Says once that nothing keeps a key unique. Of a query nothing ever does: that is for `millrace check` to count. */
  #doubt({ name, key, source, dataset }: ApiDefinition, shape: DatasetShape): void {
    if (source.kind === 'query' || isProvenKey(shape, key)) return void this.#doubted.delete(name);
    if (this.#doubted.has(name)) return;
    this.#doubted.add(name);
    const remedy =
      'give the table a primary key, also where a stream of mode append loads it (events, too, which come once but have no such index); one of mode merge or replace with this key gives it by itself; millrace check counts the rows that the columns do not tell apart';
    this.#log.warn({ api: name, dataset, key }, `nothing proves that the key is unique, and pages are wrong where it isn't: ${remedy}`);
  }

  async #relationShape(definition: ApiDefinition, name: string, asked: Promise<DatasetShape>): Promise<DatasetShape | undefined> {
    const full = `${definition.name}.${name}`;
    try {
      const shape = await asked;
      const loose = definition.relations[name]?.on.find(([, its]) => !shape.columns.some((column) => column.name === its))?.[1];
      if (loose !== undefined) throw new MillraceError('schema', `it leads to a dataset without a column "${loose}"`);
      this.#tell(full, undefined);
      return shape;
    } catch (error) {
      if (isAway(error)) throw error;
      this.#tell(full, reasonOf(error));
      return undefined;
    }
  }

  async #shape(warehouse: string, source: DatasetSource, away: Set<string>): Promise<DatasetShape> {
    const describer = this.#warehouses.get(warehouse);
    if (describer === undefined) throw new Error(`no warehouse ${warehouse}`);
    try {
      return await describer.describe(source);
    } catch (error) {
      if (isAway(error)) away.add(warehouse);
      throw error;
    }
  }

  /** Logs once that something is missing, and that it is there again. */
  #tell(name: string, reason: string | undefined): void {
    const before = this.missing.get(name);
    if (before === reason) return;
    if (reason === undefined) {
      this.missing.delete(name);
      return this.#log.info({ api: name }, 'is published again');
    }
    this.missing.set(name, reason);
    this.#log.warn({ api: name, reason }, 'can not be published as it should; it is looked for again');
  }

  /** Whether it is other than before. */
  #take(name: string, api: PublishedApi | undefined): boolean {
    if (api === undefined) {
      this.#essences.delete(name);
      return this.#published.delete(name);
    }
    this.#published.set(name, api);
    const text = essence(api);
    const isOther = this.#essences.get(name) !== text;
    this.#essences.set(name, text);
    return isOther;
  }

  #digest(): string {
    // With the addresses of the warehouses: one Redis may serve a project here and there.
    const { role, maskKey, warehouses } = this.#definition;
    const parts = this.#apis.map((api) => [api.definition, essence(api)]);
    return createHash('sha256')
      .update(JSON.stringify([role, maskKey, warehouses, parts]))
      .digest('base64url');
  }
}

const isAway = (error: unknown): boolean => error instanceof MillraceError && error.code === 'unavailable';
