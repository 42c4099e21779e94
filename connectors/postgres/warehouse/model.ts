import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { ModelDefinition } from '../../../schema/definition.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { Target } from '../../../schema/stream.ts';
import type { Attempt, Built } from '../../connector.ts';
import { quoteIdentifier, quoteTable } from '../sql.ts';
import { announceModel } from './announce.ts';
import { ensureBooks, ensureSchema } from './books.ts';
import { checkRules } from './model-rules.ts';
import { queryFailed } from './model-query.ts';
import { buildTable, buildView } from './model-target.ts';
import { openSession, type WarehouseContext } from './open.ts';
import { findTarget } from './target.ts';
import { endEarlierSessions, inTransaction } from './transaction.ts';

/** Builds a model in one transaction: it is there as before or as built, never between. */
export async function buildModel(context: WarehouseContext, model: ModelDefinition, attempt: Attempt): Promise<Built> {
  await using session = await openSession(context, attempt);
  await session.run(async (client) => {
    await endEarlierSessions(client);
    await ensureBooks(client);
  });
  return await inTransaction(context.settings, session, attempt, context.locks, async (client) => {
    const waits = await neverCommitted(client, model);
    if (waits.length > 0) return { skipped: true, rows: 0, notes: [`waits for the first load of ${waits.join(', ')}`] };
    try {
      return await build(client, model);
    } catch (error) {
      throw queryFailed(error, `model ${model.name}`);
    }
  });
}

async function build(client: pg.Client, model: ModelDefinition): Promise<Built> {
  const sql = model.sql.trim().replace(/;\s*$/, '');
  if (model.into === undefined || model.build === 'none') {
    await usualPath(client);
    await client.query(`EXPLAIN ${sql}`);
    await checkRules(client, model, `(${sql}) t`);
    return { skipped: false, rows: 0, notes: [] };
  }
  const into = model.into;
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`millrace model ${into.schema}.${into.table}`]);
  await checkModelOwnership(client, model, into);
  await ensureSchema(client, into.schema);
  const digest = createHash('sha256').update(`${into.schema}.${into.table}`).digest('hex').slice(0, 24);
  await usualPath(client, into.schema);
  const target = { client, model, into, sql, scratch: `m_${digest}` };
  const { changed, ...built } = model.build === 'view' ? await buildView(target) : await buildTable(target);
  await client.query(
    `INSERT INTO _millrace.tables (table_schema, table_name, project, pipeline, stream, adopted) VALUES ($1, $2, $3, $4, '', false)
     ON CONFLICT (table_schema, table_name) DO NOTHING`,
    [into.schema, into.table, model.project, model.name],
  );
  if (model.build === 'view') await checkRules(client, model, quoteTable(into));
  if (changed) await announceModel(client, model, into, built.rows);
  return { skipped: false, ...built };
}

/** Names without a schema mean what they mean to people: the model's own schema, then public. */
async function usualPath(client: pg.Client, schema?: string): Promise<void> {
  const path = schema === undefined ? 'public' : `${quoteIdentifier(schema)}, public`;
  await client.query(`SET LOCAL search_path = ${path}`);
}

/** What a model follows: pipelines and models of its project. */
export type Followed = Pick<ModelDefinition, 'project'> & { readonly after: readonly string[] };

/** Those of the pipelines and models that a model follows which have never committed anything here. */
export async function neverCommitted(client: pg.Client, model: Followed): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM unnest($2::text[]) name
     WHERE NOT EXISTS (SELECT FROM _millrace.state s WHERE s.project = $1 AND s.pipeline = name AND s.version > 0)
       AND NOT EXISTS (SELECT FROM _millrace.tables t WHERE t.project = $1 AND t.pipeline = name AND t.stream = '')`,
    [model.project, model.after],
  );
  return rows.map((row) => row.name);
}

async function checkModelOwnership(client: pg.Client, model: ModelDefinition, into: Target): Promise<void> {
  if ((await findTarget(client, into)) === undefined) return;
  const { rows } = await client.query<{ project: string; pipeline: string }>(
    'SELECT project, pipeline FROM _millrace.tables WHERE table_schema = $1 AND table_name = $2',
    [into.schema, into.table],
  );
  const owner = rows[0];
  if (owner?.project === model.project && owner.pipeline === model.name) return;
  const whose = owner === undefined ? "Millrace didn't make it" : `it belongs to ${owner.pipeline} (project ${owner.project})`;
  throw new MillraceError(
    'config',
    `model ${model.name}: ${into.schema}.${into.table} exists and ${whose}, so it isn't written; choose another name with into`,
  );
}
