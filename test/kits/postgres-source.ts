import pg from 'pg';
import type { PlanRequest, Source, SourcePlan } from '../../connectors/connector.ts';
import { openSource } from '../../connectors/postgres/source.ts';
import type { StreamDefinition } from '../../schema/definition.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { planRequest, readPartition, testAttempt } from './source.ts';
import { defineStream } from './stream-definition.ts';

/** A row of CSV, as text. */
export type TextRow = readonly (string | null)[];

/** A database of its own, a session to change it with, and the source over it. */
export interface SourceDatabase extends AsyncDisposable {
  readonly url: string;
  readonly source: Source;
  /** The rows of the last statement. */
  sql(text: string): Promise<readonly Record<string, string>[]>;
  /** Another session, closed with the database. */
  session(): Promise<pg.Client>;
}

// Everything as text, so that nothing is lost in the tests' own hands.
const types = { getTypeParser: () => (value: string) => value };

/** Makes a database for a test. */
export async function sourceDatabase(prefix: string): Promise<SourceDatabase> {
  const url = await createDatabase(prefix);
  const clients: pg.Client[] = [];
  const session = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url, types, application_name: 'the test' });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  const first = await session();
  return {
    url,
    source: await openSource({ type: 'postgres', url }, 'shop'),
    session,
    sql: async (text) => {
      const results: unknown = await first.query(text);
      const last = Array.isArray(results) ? (results as pg.QueryResult<Record<string, string>>[]).at(-1) : results;
      return (last as pg.QueryResult<Record<string, string>>).rows;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map(async (client) => client.end()));
      await dropDatabase(url);
    },
  };
}

export interface ReadResult {
  readonly plan: SourcePlan;
  readonly request: PlanRequest;
  readonly rows: readonly TextRow[];
}

/** Plans and reads all partitions, as CSV. */
export async function readAll(
  source: Source,
  definition: Partial<StreamDefinition> & { readonly stream: string },
  more: Partial<PlanRequest> = {},
): Promise<ReadResult> {
  const [stream] = await source.discover([definition.stream], testAttempt());
  if (stream === undefined) throw new Error('the stream is missing');
  const request = planRequest(stream, { formats: ['csv'], definition: defineStream(definition), ...more });
  const plan = await source.plan(request, testAttempt());
  const rows: TextRow[] = [];
  for (const partition of plan.partitions) rows.push(...parseCsv((await readPartition(source, request, plan, partition)).bytes));
  return { plan, request, rows };
}

/** Parses the CSV of staged files: every value quoted, NULL is nothing. */
export function parseCsv(bytes: Buffer): readonly TextRow[] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  for (const [, quoted, end] of bytes.toString('utf8').matchAll(/("(?:[^"]|"")*")?(,|\n)/g)) {
    row.push(quoted === undefined ? null : quoted.slice(1, -1).replaceAll('""', '"'));
    if (end === '\n') {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}
