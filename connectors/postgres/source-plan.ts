import { createHash } from 'node:crypto';
import { MillraceError } from '../../schema/errors.ts';
import type { Stream } from '../../schema/stream.ts';
import type { PlanRequest, SourcePlan } from '../connector.ts';
import { planIncrement } from './cursor.ts';
import { tableOf } from './discover.ts';
import { estimate, partitions } from './partition.ts';
import type { Projection } from './pushdown.ts';
import { project } from './pushdown.ts';
import type { Session } from './session.ts';
import type { PostgresSettings } from './settings.ts';
import type { Range } from './source-range.ts';
import { rangeConditions } from './source-range.ts';
import { quoteIdentifier, quoteTable } from './sql.ts';
import { isBinarySafe } from './types.ts';

/** Fixes what a run reads: the increment first, so that its bound is older than every snapshot, then the shares of it. */
export async function planSource(session: Session, settings: PostgresSettings, request: PlanRequest): Promise<SourcePlan> {
  const { stream } = request;
  if (stream.columns.length === 0) throw new MillraceError('schema', `stream ${stream.name} has no columns`);
  const increment = await planIncrement(session, request);
  const projection = project(stream, request.steps);
  const query = selectQuery(stream, projection, { key: null, cursor: increment.range });
  const size = await estimate(session, stream, query, projection.columns.length, increment.range === null);
  return {
    partitions: await partitions(session, request, size, increment.range),
    format: chooseFormat(request, projection),
    columns: projection.columns.map(({ name, type }) => ({ name, type })),
    stepsTaken: projection.stepsTaken,
    nextCursor: increment.next,
    complete: increment.complete,
    notes: increment.notes,
    identity: await identity(session, settings),
    estimatedRows: Math.round(size.rows),
  };
}

/** The query of one partition. */
export function selectQuery(stream: Stream, projection: Projection, range: Range): string {
  const columns = projection.columns.map(({ name, sql }) => `${sql} AS ${quoteIdentifier(name)}`);
  const conditions = [...rangeConditions(range), ...projection.conditions];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return `SELECT ${columns.join(', ')} FROM ${quoteTable(tableOf(stream))}${where}`;
}

function chooseFormat(request: PlanRequest, projection: Projection): 'pgcopy' | 'csv' {
  const binary = projection.columns.every(({ type }) => isBinarySafe(type));
  // With no step left but the load, the warehouse's binary COPY spares both servers the text.
  if (binary && projection.stepsTaken === request.steps.length && request.formats.includes('pgcopy')) return 'pgcopy';
  const format = request.formats.find((wanted) => wanted === 'csv' || (wanted === 'pgcopy' && binary));
  if (format === 'pgcopy' || format === 'csv') return format;
  throw new MillraceError('config', `stream ${request.stream.name} can be read as csv or pgcopy, and the next step takes neither`);
}

/** Cluster and database: the same after a failover, another after a restore into a new cluster. */
async function identity(session: Session, settings: PostgresSettings): Promise<string> {
  const [database] = await session.query<{ oid: string }>('SELECT oid::text FROM pg_database WHERE datname = current_database()');
  return `postgres:${await cluster(session, settings)}/${database?.oid ?? ''}`;
}

async function cluster(session: Session, settings: PostgresSettings): Promise<string> {
  try {
    const [row] = await session.query<{ id: string }>('SELECT system_identifier::text AS id FROM pg_control_system()');
    if (row !== undefined) return row.id;
  } catch (error) {
    if (!(error instanceof MillraceError && ['auth', 'schema'].includes(error.code))) throw error;
  }
  const { hostname, port, pathname } = new URL(settings.url);
  return createHash('sha256').update(`${hostname}:${port}${pathname}`).digest('hex').slice(0, 20);
}
