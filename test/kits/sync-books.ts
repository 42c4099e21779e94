import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { openSyncBooks } from '../../connectors/postgres/ledger/sync-books.ts';
import { openWarehouse } from '../../connectors/postgres/warehouse/warehouse.ts';
import type { Hold, PlannedRow, RecordedRow, SyncBooks, SyncPlanRequest } from '../../connectors/sync-books.ts';
import type { SyncDefinition, SyncMode } from '../../schema/sync-definition.ts';
import type { OperationsByChange, SyncCounts, SyncOptions, SyncPlan, SyncRunName } from '../../schema/sync.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { attempt } from './loads.ts';

/** What each mode does where an application has every operation. */
const operationsOf: Readonly<Record<SyncMode, OperationsByChange>> = {
  insert: { added: 'create' },
  update: { added: 'update', changed: 'update' },
  upsert: { added: 'upsert', changed: 'upsert' },
  mirror: { added: 'upsert', changed: 'upsert', removed: 'delete' },
  add: { added: 'add' },
  remove: { added: 'remove' },
};

export function makeSync(given: Partial<SyncDefinition> = {}): SyncDefinition {
  const connection = (name: string) => ({ name, type: 'postgres', settings: {} });
  return {
    format: 1,
    project: 'test',
    name: 'people-to-crm',
    model: { name: 'people', sql: 'SELECT * FROM people', key: ['email'], after: [] },
    warehouse: connection('warehouse'),
    state: connection('warehouse'),
    to: connection('crm'),
    object: 'contacts',
    match: [{ column: 'email', field: 'email' }],
    map: [
      { column: 'score', field: 'health_score', whenNull: 'clear' },
      { column: 'plan', field: 'plan', whenNull: 'keep' },
    ],
    mode: 'upsert',
    deletes: 'delete',
    maxDeleted: 1,
    maxRejected: { share: 0.5 },
    whenUnknown: 'at-most-once',
    mappingChange: 'ask',
    write: {},
    alerts: [],
    retention: { log: 86_400_000, runs: 86_400_000 },
    minInterval: 15_000,
    heartbeatTimeout: 60_000,
    ...given,
  };
}

export function makeRun(): SyncRunName {
  return { project: 'test', sync: 'people-to-crm', runId: randomUUID(), workflowId: 'test/people-to-crm', workflowRunId: randomUUID() };
}

export type RequestOptions = Partial<SyncOptions> & {
  readonly sync?: Partial<SyncDefinition>;
  readonly changedOnly?: boolean;
  readonly identity?: string;
  readonly rows?: SyncPlanRequest['rows'];
};

export function makeRequest(given: RequestOptions = {}): Omit<SyncPlanRequest, 'run'> {
  const { sync: partial, changedOnly = false, identity = 'https://crm.example.com', rows, ...options } = given;
  const sync = makeSync(partial);
  return {
    sync,
    options: { trigger: 'manual', full: false, retry: false, resend: false, ...options },
    operations: operationsOf[sync.mode],
    identity,
    changedOnly,
    ...(rows === undefined ? {} : { rows }),
  };
}

/** A run that was planned and whose books are held. */
interface TestRun {
  readonly name: SyncRunName;
  readonly plan: SyncPlan;
  readonly hold: Hold;
  readonly rows: readonly PlannedRow[];
}

export interface BooksUnderTest {
  readonly url: string;
  readonly client: pg.Client;
  readonly books: SyncBooks;
  query(text: string, values?: readonly unknown[]): Promise<readonly unknown[][]>;
  /** Plans a run and takes its books. */
  begin(given?: RequestOptions): Promise<TestRun>;
  /** Records an outcome for rows. */
  record(run: TestRun, rows: readonly RecordedRow[]): Promise<SyncCounts>;
  /** Plans a run and records all its rows, as the outcome says; ends it. Gives `key operation` of the rows that were planned. */
  run(given?: RequestOptions & { readonly outcome?: (row: PlannedRow) => RecordedRow }): Promise<readonly string[]>;
}

export const acknowledged = (row: Pick<PlannedRow, 'no'>): RecordedRow => ({ no: row.no, outcome: 'acknowledged' });
export const rejected = (row: Pick<PlannedRow, 'no'>): RecordedRow => ({
  no: row.no,
  outcome: 'rejected',
  reason: 'not an e-mail',
  code: 'INVALID',
});

/** A database with books and a table `people (email, plan, score)` of three rows, fresh for each test. */
export function useSyncBooks(): BooksUnderTest {
  let url = '';
  let client: pg.Client;
  let books: SyncBooks;
  beforeEach(async () => {
    url = await createDatabase('ledger');
    client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`CREATE TABLE people (email text, plan text, score integer);
      INSERT INTO people VALUES ('ada@x', 'pro', 1), ('bob@x', 'free', 2), ('cyd@x', NULL, NULL)`);
    books = await openSyncBooks({ type: 'postgres', url }, 'warehouse');
    const warehouse = await openWarehouse({ type: 'postgres', url }, 'warehouse');
    await warehouse.books.listStreams({ project: 'test' }, attempt());
  });
  afterEach(async () => {
    await books[Symbol.asyncDispose]();
    await client.end();
    await dropDatabase(url);
  });
  const begin = async (given: RequestOptions = {}): Promise<TestRun> => {
    const name = makeRun();
    const plan = await books.plan({ ...makeRequest(given), run: name }, attempt());
    const hold = await books.hold(name, attempt());
    return { name, plan, hold, rows: await books.rows(name, 1, 100_000, attempt()) };
  };
  return {
    get url() {
      return url;
    },
    get client() {
      return client;
    },
    get books() {
      return books;
    },
    query: async (text, values = []) => (await client.query<unknown[]>({ text, values: [...values], rowMode: 'array' })).rows,
    begin,
    record: async (run, rows) => await books.record(run.hold, rows, attempt()),
    run: async ({ outcome = acknowledged, ...given } = {}) => {
      const run = await begin(given);
      const counts = await books.record(run.hold, run.rows.map(outcome), attempt());
      if (counts.planned !== counts.acknowledged + counts.rejected + counts.unknown)
        throw new Error(`no balance: ${JSON.stringify(counts)}`);
      await books.release(run.hold, attempt());
      await books.end(run.name, undefined, attempt());
      return run.rows.map((row) => `${row.key} ${row.operation}`);
    },
  };
}
