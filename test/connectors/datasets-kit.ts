import pg from 'pg';
import type { Datasets, DatasetsOptions } from '../../connectors/datasets.ts';
import { openDatasets } from '../../connectors/postgres/datasets/datasets.ts';
import type { DatasetRead, DatasetRequest, DatasetSource } from '../../schema/dataset.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

/** A database with datasets over it, and an administrator's client; dropped by `await using`. */
export interface DatasetsPlace extends AsyncDisposable {
  readonly url: string;
  readonly client: pg.Client;
  readonly datasets: Datasets;
  /** More datasets over the same database. */
  open(options: Partial<DatasetsOptions>, url?: string): Promise<Datasets>;
  /** A read of all columns of a table in the order of its first one, changed as given. */
  read(source: string | DatasetSource, change?: Partial<DatasetRead>): Promise<DatasetRead>;
  /** What a request gives, parsed. */
  rows(request: DatasetRequest): Promise<unknown>;
}

const defaults: DatasetsOptions = { connections: 3, timeout: 10_000, exportTimeout: 30_000, maskKey: 'a mask key' };

export async function openPlace(sql: string, options: Partial<DatasetsOptions> = {}): Promise<DatasetsPlace> {
  const url = await createDatabase('datasets');
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(sql);
  const opened: Datasets[] = [];
  const open: DatasetsPlace['open'] = async (changed, other = url) => {
    const datasets = await openDatasets({ type: 'postgres', url: other }, 'warehouse', { ...defaults, ...options, ...changed });
    opened.push(datasets);
    return datasets;
  };
  const datasets = await open({});
  return {
    url,
    client,
    datasets,
    open,
    read: async (source, change = {}) => {
      const named = typeof source === 'string' ? tableSource(source) : source;
      const { columns } = await datasets.describe(named);
      const [first] = columns;
      return {
        kind: 'read',
        source: named,
        rules: [],
        columns: Object.fromEntries(columns.map((column) => [column.name, column])),
        fields: columns.map(({ name }) => ({ kind: 'column', as: name, column: name })),
        sort: first === undefined ? [] : [{ column: first.name, descending: false }],
        limit: 100,
        cursorPrefix: 'a prefix',
        shape: { kind: 'rows' },
        ...change,
      };
    },
    rows: async (request) => JSON.parse(await datasets.read(request)) as unknown,
    [Symbol.asyncDispose]: async () => {
      for (const one of opened) await one[Symbol.asyncDispose]();
      await client.end().catch(() => undefined);
      await dropDatabase(url);
    },
  };
}

/** `schema.table`, or a table of `public`. */
function tableSource(name: string): DatasetSource {
  const dot = name.indexOf('.');
  return dot < 0
    ? { kind: 'table', schema: 'public', table: name }
    : { kind: 'table', schema: name.slice(0, dot), table: name.slice(dot + 1) };
}
