import type { BookedLoad, BookedRejection, BookedStream, BooksQuery, LoadsQuery, RejectionsQuery } from '../../../schema/books.ts';
import type { Fingerprint } from '../../../schema/load.ts';
import type { Attempt } from '../../connector.ts';
import { ensureBooks } from './books.ts';
import { openSession, type WarehouseContext } from './open.ts';

const iso = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const where = 'project = $1 AND ($2::text IS NULL OR pipeline = $2) AND ($3::text IS NULL OR stream = $3)';
const values = (query: BooksQuery): readonly unknown[] => [query.project, query.pipeline ?? null, query.stream ?? null];

const loads = `SELECT load_id::text AS id, pipeline, stream, 'committed' AS outcome, NULL AS reason, read, loaded, rejected, filtered, duplicates, unchanged, deleted,
  cursor, notes, workflow_id, run_id, committed_at AS at FROM _millrace.loads WHERE ${where}
UNION ALL SELECT load_id::text, pipeline, stream, 'failed', reason, 0, 0, rejected, 0, 0, 0, 0, NULL, '{}', workflow_id, run_id, at FROM _millrace.failures WHERE ${where}
ORDER BY at DESC LIMIT $4`;

type Counts = 'read' | 'loaded' | 'rejected' | 'filtered' | 'duplicates' | 'unchanged' | 'deleted';
type LoadRow = Omit<BookedLoad, 'counts' | 'workflowId' | 'runId'> &
  Readonly<Record<Counts, string>> & { readonly workflow_id: string; readonly run_id: string };

/** Loads, the latest first: committed ones, and those that were given up. */
export async function listLoads(context: WarehouseContext, query: LoadsQuery, attempt: Attempt): Promise<readonly BookedLoad[]> {
  const rows = await select<LoadRow>(context, attempt, `SELECT l.*, ${iso('l.at')} AS at FROM (${loads}) l ORDER BY l.at DESC`, [
    ...values(query),
    query.limit,
  ]);
  return rows.map(({ read, loaded, rejected, filtered, duplicates, unchanged, deleted, workflow_id, run_id, ...row }) => ({
    ...row,
    workflowId: workflow_id,
    runId: run_id,
    counts: {
      read: Number(read),
      loaded: Number(loaded),
      rejected: Number(rejected),
      filtered: Number(filtered),
      duplicates: Number(duplicates),
      unchanged: Number(unchanged),
      deleted: Number(deleted),
    },
  }));
}

/** Rejections in the order they were kept; open ones unless all are asked for. */
export async function listRejections(
  context: WarehouseContext,
  query: RejectionsQuery,
  attempt: Attempt,
): Promise<readonly BookedRejection[]> {
  return await select<BookedRejection>(
    context,
    attempt,
    `SELECT id, load_id::text AS "loadId", pipeline, stream, "partition", file, "position", key, "column", rule, reason, "row",
       ${iso('at')} AS at, ${iso('closed_at')} AS "closedAt", EXISTS (SELECT FROM _millrace.loads l WHERE l.load_id = r.load_id) AS committed
     FROM _millrace.rejections r WHERE ${where} AND ($4 OR closed_at IS NULL) AND ($5::uuid IS NULL OR load_id = $5) AND ($6::bigint IS NULL OR id > $6)
     ORDER BY id LIMIT $7`,
    [...values(query), query.all ?? false, query.loadId ?? null, query.after ?? null, query.limit],
  );
}

interface StreamRow {
  readonly pipeline: string;
  readonly stream: string;
  readonly version: string;
  readonly generation: string;
  readonly cursor: string | null;
  readonly fingerprint: string | null;
  readonly schema: string | null;
  readonly name: string | null;
  readonly exists: boolean;
  readonly load_id: string | null;
  readonly at: string;
}

/** Where the streams of a project or pipeline stand. */
export async function listStreams(context: WarehouseContext, query: BooksQuery, attempt: Attempt): Promise<readonly BookedStream[]> {
  const rows = await select<StreamRow>(
    context,
    attempt,
    `SELECT s.pipeline, s.stream, s.version, s.generation, s.cursor, s.fingerprint::text AS fingerprint, t.table_schema AS schema, t.table_name AS name,
       EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = t.table_schema AND c.relname = t.table_name) AS exists, s.load_id::text AS load_id, ${iso('s.updated_at')} AS at
     FROM (SELECT * FROM _millrace.state WHERE ${where}) s LEFT JOIN _millrace.tables t USING (project, pipeline, stream) ORDER BY s.pipeline, s.stream`,
    values(query),
  );
  return rows.map((row) => ({
    pipeline: row.pipeline,
    stream: row.stream,
    version: Number(row.version),
    generation: Number(row.generation),
    cursor: row.cursor,
    fingerprint: row.fingerprint === null ? null : (JSON.parse(row.fingerprint) as Fingerprint),
    target: row.schema === null || row.name === null ? null : { schema: row.schema, table: row.name },
    targetExists: row.exists,
    loadId: row.load_id,
    updatedAt: row.at,
  }));
}

async function select<Row extends object>(
  context: WarehouseContext,
  attempt: Attempt,
  text: string,
  parameters: readonly unknown[],
): Promise<readonly Row[]> {
  await using session = await openSession(context, attempt);
  await session.run(ensureBooks);
  return await session.query<Row>(text, parameters);
}
