import { MillraceError } from '../../schema/errors.ts';
import type { Attempt, Page, ReadRequest, Source } from '../connector.ts';
import { copyOut } from './copy-out.ts';
import { discover, tableOf } from './discover.ts';
import { project } from './pushdown.ts';
import type { Session } from './session.ts';
import { connect, requirePinned } from './session.ts';
import { watch } from './session-watch.ts';
import type { PostgresSettings } from './settings.ts';
import { checkSource } from './source-check.ts';
import { planSource, selectQuery } from './source-plan.ts';
import { parseRange } from './source-range.ts';
import { quoteTable } from './sql.ts';

/** A PostgreSQL database as a source. Sessions are opened for each call and closed with it. */
export async function openSource(settings: PostgresSettings, name: string): Promise<Source> {
  const open = async (attempt: Attempt, what: string): Promise<Session> =>
    connect(settings, attempt, { readOnly: true, what: `${name}: ${what}` });
  return {
    check: async (attempt) => {
      await using session = await open(attempt, 'checking the connection');
      return await checkSource(session);
    },
    discover: async (patterns, attempt) => {
      await using session = await open(attempt, 'discovering streams');
      return await discover(session, patterns);
    },
    plan: async (request, attempt) => {
      await using session = await open(attempt, `planning ${request.stream.name}`);
      await using _watch = watch(settings, session, attempt);
      return await planSource(session, settings, request);
    },
    read: async (request, attempt) => {
      const { format } = request.plan;
      if (format === 'foreign') throw new MillraceError('config', `stream ${request.stream.name}: PostgreSQL is not read as files`);
      return { format: { kind: format }, pages: readPages(settings, name, request, format, attempt) };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function* readPages(
  settings: PostgresSettings,
  name: string,
  request: ReadRequest,
  format: 'pgcopy' | 'csv',
  attempt: Attempt,
): AsyncGenerator<Page> {
  const { stream, steps, plan, partition } = request;
  const query = selectQuery(stream, project(stream, steps.slice(0, plan.stepsTaken)), parseRange(partition.range));
  await using session = await connect(settings, attempt, { readOnly: true, what: `${name}: reading ${stream.name}` });
  await using _watch = watch(settings, session, attempt);
  await holdColumns(session, request);
  yield* copyOut(session, query, format, attempt);
}

/** Begins a transaction in which the stream keeps the columns of the plan: a type widened since would otherwise be cut to the old one. */
async function holdColumns(session: Session, { stream }: ReadRequest): Promise<void> {
  await session.query('BEGIN');
  await requirePinned(session);
  await session.query(`SELECT FROM ${quoteTable(tableOf(stream))} LIMIT 0`);
  const [now] = await discover(session, [stream.name]);
  if (JSON.stringify(now?.columns) !== JSON.stringify(stream.columns)) {
    throw new MillraceError('conflict', `the columns of ${stream.name} changed since this run was planned; it has to be planned again`);
  }
}
