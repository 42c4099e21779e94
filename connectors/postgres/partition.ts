import { z } from 'zod';
import type { Partition, Stream } from '../../schema/stream.ts';
import type { PlanRequest } from '../connector.ts';
import { tableOf } from './discover.ts';
import type { KeyColumn } from './partition-bounds.ts';
import { keyBounds, keyColumn } from './partition-bounds.ts';
import type { Session } from './session.ts';
import type { KeyRange, Range } from './source-range.ts';
import { rangeConditions } from './source-range.ts';
import { quoteTable } from './sql.ts';

export interface Estimate {
  readonly rows: number;
  readonly bytes: number;
}

const explainSchema = z.tuple([z.object({ Plan: z.object({ 'Plan Rows': z.number(), 'Plan Width': z.number() }) })]);

/** Bytes of COPY for a column beside its value. */
const columnBytes = 4;

/** Rows and bytes that a query will yield, from the planner's statistics; a whole table never analyzed counts by its size on disk. */
export async function estimate(session: Session, stream: Stream, query: string, columns: number, whole: boolean): Promise<Estimate> {
  const [row] = await session.query<{ 'QUERY PLAN': string }>(`EXPLAIN (FORMAT JSON) ${query}`);
  const [{ Plan: plan }] = explainSchema.parse(JSON.parse(row?.['QUERY PLAN'] ?? ''));
  const bytes = plan['Plan Rows'] * (plan['Plan Width'] + columns * columnBytes);
  const analyzed = stream.estimatedRows !== undefined && stream.estimatedRows > 0;
  if (!whole || analyzed) return { rows: plan['Plan Rows'], bytes };
  return { rows: plan['Plan Rows'], bytes: Math.max(bytes, await tableSize(session, stream)) };
}

async function tableSize(session: Session, stream: Stream): Promise<number> {
  const [row] = await session.query<{ bytes: string | null }>(
    `SELECT (CASE WHEN relkind = 'p' THEN (SELECT sum(pg_table_size(relid)) FROM pg_partition_tree(c.oid) WHERE isleaf)
       WHEN relkind IN ('r', 'm') THEN pg_table_size(c.oid) ELSE 0 END)::text AS bytes FROM pg_class c WHERE c.oid = $1::regclass`,
    [quoteTable(tableOf(stream))],
  );
  return Number(row?.bytes ?? 0);
}

/**
 * Ranges of the first column of the primary key, about `partitionBytes` each; the first and the last are open, so that every row
 * falls into exactly one whatever the statistics say. One partition where the stream is small or has no key that ranges can be made of.
 */
export async function partitions(
  session: Session,
  request: PlanRequest,
  size: Estimate,
  cursor: Range['cursor'],
): Promise<readonly Partition[]> {
  const wanted = Math.min(request.maxPartitions, Math.ceil(size.bytes / request.partitionBytes));
  const [first] = request.stream.key;
  if (wanted <= 1 || first === undefined) return [whole(cursor)];
  const key = await keyColumn(session, request.stream, first);
  if (key === undefined) return [whole(cursor)];
  const increment = rangeConditions({ key: null, cursor });
  const bounds = await keyBounds(session, request.stream, key, wanted, increment);
  return bounds.length === 0 ? [whole(cursor)] : ranges(key, bounds).map((range, index) => partition(index, range, cursor));
}

function whole(cursor: Range['cursor']): Partition {
  const range: Range = { key: null, cursor };
  return { no: 0, label: 'all', range };
}

function ranges(key: KeyColumn, bounds: readonly string[]): readonly KeyRange[] {
  return [...bounds, undefined].map((to, index) => {
    const from = index === 0 ? undefined : bounds[index - 1];
    return { column: key.name, type: key.type, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  });
}

function partition(no: number, key: KeyRange, cursor: Range['cursor']): Partition {
  const range: Range = { key, cursor };
  return { no, label: `${key.column} ${key.from ?? ''}…${key.to ?? ''}`, range };
}
