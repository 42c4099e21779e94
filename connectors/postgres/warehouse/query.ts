import type pg from 'pg';
import { to } from 'pg-copy-streams';
import type { Column } from '../../../schema/column.ts';
import type { Attempt } from '../../connector.ts';
import type { ModelRows } from '../../sync-books.ts';
import { connect, requirePinned, type Session } from '../session.ts';
import { watch } from '../session-watch.ts';
import { columnType } from '../types.ts';
import { bareQuery, queryFailed } from './model-query.ts';
import type { WarehouseContext } from './open.ts';

interface TypeRow {
  readonly formatted: string;
  readonly typeKind: string;
  readonly builtIn: boolean;
}

const typesOf = `SELECT format_type(t.oid, f.typmod) AS formatted, coalesce(e.typtype, t.typtype)::text AS "typeKind",
  coalesce(e.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace AS "builtIn"
FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY f (oid, typmod, no) JOIN pg_catalog.pg_type t ON t.oid = f.oid
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' ORDER BY f.no`;

/** The columns of a query's result, within a transaction; domains as what they stand for. */
export async function queryColumns(client: pg.Client, sql: string): Promise<readonly Column[]> {
  // A named statement can't be more than one statement.
  const { fields } = await client.query({ name: 'columns', text: `SELECT * FROM (${sql}) AS "model" LIMIT 0` });
  const { rows } = await client.query<TypeRow>(typesOf, [
    fields.map((field: pg.FieldDef) => field.dataTypeID),
    fields.map((field: pg.FieldDef) => field.dataTypeModifier),
  ]);
  return rows.map(({ formatted, typeKind, builtIn }, at) => {
    const name = fields[at]?.name ?? '';
    return { name, type: columnType(name, { formatted, declared: formatted, kind: typeKind, builtIn }).type };
  });
}

/** The rows of a query as CSV, read in one statement by a session that can't write. */
export async function query(context: WarehouseContext, sql: string, attempt: Attempt): Promise<ModelRows & AsyncDisposable> {
  const what = `connection ${context.name}`;
  const session = await connect(context.settings, attempt, { readOnly: true, what });
  try {
    const bare = bareQuery(sql);
    const columns = await session.run(async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await requirePinned(session);
      await client.query('SET LOCAL search_path = public');
      try {
        return await queryColumns(client, bare);
      } catch (error) {
        throw queryFailed(error, what);
      }
    });
    const watching = watch(context.settings, session, attempt);
    return {
      columns,
      bytes: bytesOf(session, bare, what, attempt),
      [Symbol.asyncDispose]: async () => {
        await watching[Symbol.asyncDispose]();
        await session[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

const options = "FORMAT csv, NULL '', FORCE_QUOTE *, ENCODING 'UTF8'";
const beatEvery = 1_000;

async function* bytesOf(session: Session, sql: string, what: string, attempt: Attempt): AsyncGenerator<Uint8Array> {
  const stream = to(`COPY (${sql}) TO STDOUT (${options})`, { highWaterMark: 256 * 1024 });
  let complete = false;
  let bytes = 0;
  let beaten = 0;
  const step = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> =>
    await session.run(async (client) => {
      try {
        return await work(client);
      } catch (error) {
        throw queryFailed(error, what);
      }
    });
  try {
    const chunks = await step(async (client) => client.query(stream)[Symbol.asyncIterator]());
    for (;;) {
      const next: IteratorResult<Buffer> = await step(async () => chunks.next());
      if (next.done === true) break;
      bytes += next.value.length;
      if (Date.now() - beaten > beatEvery) {
        attempt.beat({ bytes });
        beaten = Date.now();
      }
      yield next.value;
    }
    // Waits for CommandComplete, which follows the last byte: a late failure comes with it.
    await step(async (client) => await client.query('COMMIT'));
    complete = true;
  } finally {
    if (!complete) session.destroy();
  }
}
