import pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Application, ApplicationContext, ApplicationRequest, Batch, Outcome } from '../../application.ts';
import type { Attempt } from '../../connector.ts';
import type { Transport } from '../../http/stores.ts';
import type { Session } from '../session.ts';
import type { PostgresSettings } from '../settings.ts';
import { checkTable, refusalOfTable } from './check.ts';
import { describeTable } from './describe.ts';
import { findField, isInDoubt, refusalOf } from './refusal.ts';
import { openSessions } from './sessions.ts';
import { statementsOf, type Statement } from './statements.ts';
import { listTables, readTable, type TargetTable } from './table.ts';

/** Milliseconds of a batch's transaction at most. The server itself ends what it still runs or waits for, so that nothing lands later. */
const requestTimeout = 30_000;
const statementTimeout = 20_000;

const timeouts: Readonly<Record<string, string>> = {
  statement_timeout: `${statementTimeout}ms`,
  lock_timeout: `${statementTimeout / 2}ms`,
  idle_in_transaction_session_timeout: `${requestTimeout - statementTimeout}ms`,
  // Servers before 17 don't have it; there the time-outs of its parts stand for it.
  transaction_timeout: `${requestTimeout}ms`,
};

/** `host:5432/database`, as the driver understands the address. */
function identityOf({ url }: PostgresSettings): string {
  const { host, port, database } = new pg.Client({ connectionString: url });
  return `${host}:${port}/${database ?? ''}`;
}

/** A table of a PostgreSQL database, written batch by batch, each in one transaction; with a transport its statements are only shown. */
export async function openApplication(
  settings: PostgresSettings,
  name: string,
  request: ApplicationRequest,
  { transport }: Pick<ApplicationContext, 'transport'> = {},
): Promise<Application> {
  const sessions = openSessions(settings, name, timeouts);
  let prepared: Promise<TargetTable> | undefined;

  const prepare = async (attempt: Attempt): Promise<TargetTable> => {
    const table = await sessions.use(attempt, async (session) => await readTable(session, request.object));
    const refusal = refusalOfTable(table, request.match);
    if (refusal !== undefined) throw new MillraceError('config', `connection ${name}: ${refusal}`);
    return table;
  };
  const tableFor = async (attempt: Attempt): Promise<TargetTable> => {
    prepared ??= prepare(attempt);
    try {
      return await prepared;
    } catch (error) {
      prepared = undefined;
      throw error;
    }
  };
  const send = async ({ operation, rows }: Batch, attempt: Attempt): Promise<readonly Outcome[]> => {
    const table = await tableFor(attempt);
    const until = performance.now() + requestTimeout;
    const statements = statementsOf(table, request.match, operation, rows);
    if (transport !== undefined) return await show(statements, { transport, object: request.object });
    return await sessions.use(
      attempt,
      async (session) => {
        const done = await write(session, statements, { name, table, until });
        return rows.map(({ no }) => (done.has(no) ? { status: 'acknowledged' } : absent));
      },
      (error) => error instanceof MillraceError && error.code === 'rejected',
    );
  };
  return {
    limits: { batchRows: 1_000, batchBytes: 4 * 1024 * 1024, concurrency: 4, requestTimeout },
    identity: identityOf(settings),
    writes: { create: 'upsert', update: 'upsert', upsert: 'upsert', delete: 'upsert' },
    changedOnly: false,
    check: async (attempt) => {
      try {
        return await sessions.use(attempt, async (session) => await checkTable(session, request));
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'auth') throw error;
        return { system: 'PostgreSQL', problems: [error.message], warnings: [] };
      }
    },
    objects: async (attempt) => await sessions.use(attempt, listTables),
    describe: async (attempt) => describeTable(await sessions.use(attempt, async (session) => await readTable(session, request.object))),
    send,
    [Symbol.asyncDispose]: async () => await sessions[Symbol.asyncDispose](),
  };
}

const absent: Outcome = { status: 'rejected', reason: 'no row of the table has this match', code: 'not-found' };

/** Hands the statements over in place of running them. */
async function show(
  statements: readonly Statement[],
  { transport, object }: { readonly transport: Transport; readonly object: string },
): Promise<readonly Outcome[]> {
  for (const { sql, json } of statements) await transport({ method: 'SQL', url: object, headers: {}, body: `${sql}\n$1: ${json}` });
  return statements.flatMap(({ rows }) => rows.map(() => ({ status: 'acknowledged' })));
}

interface Writing {
  readonly name: string;
  readonly table: TargetTable;
  /** When the transaction must have ended, as `performance.now()` counts. */
  readonly until: number;
}

/** Runs the statements of a batch in one transaction; the plan's numbers of the rows that it did. */
async function write(session: Session, statements: readonly Statement[], { name, until, table }: Writing): Promise<ReadonlySet<number>> {
  return await session.run(async (client) => {
    let at: Statement | undefined;
    let committing = false;
    try {
      await client.query('BEGIN');
      const done = new Set<number>();
      for (at of statements) for (const no of await run(client, at)) done.add(no);
      at = undefined;
      if (performance.now() > until)
        throw new MillraceError('unavailable', `connection ${name}: the transaction took too long and was given up`);
      committing = true;
      await client.query('COMMIT');
      return done;
    } catch (error) {
      if (committing && isInDoubt(error)) {
        throw new MillraceError('unknown', `connection ${name}: the answer to COMMIT is missing`);
      }
      await client.query('ROLLBACK').catch(() => undefined);
      const rows = at?.rows ?? statements.flatMap((statement) => statement.rows);
      throw refusalOf(error, rows, await findField(client, error, rows, table)) ?? error;
    }
  });
}

/** Throws `rejected` when a trigger kept some of the rows out. */
async function run(client: pg.Client, statement: Statement): Promise<readonly number[]> {
  const { sql, json, rows, finds, touches } = statement;
  const result = await client.query<{ no: number }>(sql, [json]);
  if (touches !== undefined && result.rowCount !== touches) {
    throw new MillraceError('rejected', 'a trigger or rule of the table kept the row out');
  }
  if (!finds) return rows.map(({ no }) => no);
  return result.rows.flatMap(({ no }) => rows[no]?.no ?? []);
}
