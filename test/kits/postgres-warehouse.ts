import pg from 'pg';
import type { Warehouse } from '../../connectors/connector.ts';
import { openWarehouse } from '../../connectors/postgres/warehouse/warehouse.ts';
import type { StreamState } from '../../schema/load.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { assertBooksBalance } from './books.ts';
import { attempt } from './loads.ts';

type Rows = readonly (readonly unknown[])[];

/** A fresh database as warehouse for each test of a suite; after each the books must balance. */
export interface WarehouseUnderTest {
  readonly url: string;
  readonly client: pg.Client;
  readonly warehouse: Warehouse;
  /** Rows of a query as arrays of texts. */
  rows(sql: string, values?: readonly unknown[]): Promise<Rows>;
  state(stream?: string): Promise<StreamState>;
  /** Another session, closed after the test. */
  session(): Promise<pg.Client>;
}

const asText = { getTypeParser: () => (value: string) => value };

/** Call inside `describe`. */
export function useWarehouse(): WarehouseUnderTest {
  let url = '';
  let warehouse: Warehouse;
  let sessions: pg.Client[] = [];
  const session = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url, types: asText });
    client.on('error', () => undefined);
    await client.connect();
    sessions.push(client);
    return client;
  };
  const first = (): pg.Client => {
    const [client] = sessions;
    if (client === undefined) throw new Error('no database yet');
    return client;
  };
  beforeEach(async () => {
    url = await createDatabase('warehouse');
    await session();
    warehouse = await openWarehouse({ type: 'postgres', url }, 'warehouse', { timeout: 300, attempts: 2 });
    await warehouse.state(
      { project: 'test', pipeline: 'shop', stream: 'public.orders', target: { schema: 'shop', table: 'orders' } },
      attempt(),
    );
  });
  afterEach(async () => {
    await warehouse[Symbol.asyncDispose]();
    const [books] = (await first().query(`SELECT to_regclass('_millrace.loads') AS loads`)).rows as { loads: string | null }[];
    if (books?.loads !== null) await assertBooksBalance(url);
    await Promise.all(sessions.map(async (client) => await client.end().catch(() => undefined)));
    sessions = [];
    await dropDatabase(url);
  });
  return {
    get url() {
      return url;
    },
    get client() {
      return first();
    },
    get warehouse() {
      return warehouse;
    },
    rows: async (text, values = []) => (await first().query<unknown[]>({ text, values: [...values], rowMode: 'array' })).rows,
    state: async (stream = 'public.orders') =>
      await warehouse.state({ project: 'test', pipeline: 'shop', stream, target: { schema: 'shop', table: 'orders' } }, attempt()),
    session,
  };
}

/** Waits until a query gives `true`, for what happens in other sessions. */
export async function until(client: pg.Client, condition: string, values: readonly unknown[] = []): Promise<void> {
  for (const end = Date.now() + 45_000; Date.now() < end;) {
    const { rows } = await client.query<{ holds: string }>(`SELECT (${condition}) AS holds`, [...values]);
    if (rows[0]?.holds === 't') return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never came true: ${condition}`);
}
