import pg from 'pg';
import type { Attempt, Retention } from '../../connector.ts';
import { ensureBooks } from './books.ts';
import { openSession, type WarehouseContext } from './open.ts';

/** Rows of one pipeline, older than $3 seconds. */
const old = (column: string): string => `(project, pipeline) = ($1, $2) AND ${column} < now() - make_interval(secs => $3)`;

/**
 * Deletes what the books of a pipeline keep no longer. The last load of each stream stays, so that it can always be told when a stream
 * was loaded; what a load under way needs is never as old.
 */
export async function retain(context: WarehouseContext, retention: Retention, attempt: Attempt): Promise<void> {
  const { project, pipeline, rejections, loads } = retention;
  await using session = await openSession(context, attempt);
  await session.run(async (client) => {
    await ensureBooks(client);
    await client.query(`DELETE FROM _millrace.rejections WHERE ${old('at')}`, [project, pipeline, rejections / 1000]);
    await client.query(`DELETE FROM _millrace.failures WHERE ${old('at')}`, [project, pipeline, loads / 1000]);
    await client.query(
      `WITH gone AS (
         DELETE FROM _millrace.loads l WHERE ${old('committed_at')} AND EXISTS (
           SELECT FROM _millrace.loads later WHERE (later.project, later.pipeline, later.stream) = (l.project, l.pipeline, l.stream)
             AND later.committed_at > l.committed_at)
         RETURNING load_id),
       files AS (DELETE FROM _millrace.load_files WHERE load_id IN (SELECT load_id FROM gone))
       DELETE FROM _millrace.load_files_unlogged WHERE load_id IN (SELECT load_id FROM gone)`,
      [project, pipeline, loads / 1000],
    );
    await forgetChanges(client, project, pipeline, loads);
    await dropOrphans(client);
  });
}

/** Forgets announced commits as loads are, those of models with them, but none that a webhook has yet to tell; one that went out of use holds nothing back for longer than a month. */
async function forgetChanges(client: pg.Client, project: string, pipeline: string, age: number): Promise<void> {
  await client.query(
    `WITH gone AS (
       DELETE FROM _millrace.changes c
       WHERE c.project = $1 AND (c.name = $2 OR NOT EXISTS (SELECT FROM _millrace.state s WHERE (s.project, s.pipeline) = ($1, c.name)))
         AND c.at < now() - make_interval(secs => $3)
         AND NOT EXISTS (SELECT FROM _millrace.webhook_cursors w WHERE w.project = $1 AND w.change_id < c.id AND w.at > now() - interval '30 days')
       RETURNING c.id),
     latest AS (SELECT max(id) AS id FROM gone)
     INSERT INTO _millrace.forgotten_changes (project, change_id) SELECT $1, id FROM latest WHERE id IS NOT NULL
     ON CONFLICT (project) DO UPDATE SET change_id = greatest(forgotten_changes.change_id, excluded.change_id)`,
    [project, pipeline, age / 1000],
  );
}

/** Drops tables of loads that hold no fence any more: their workers died before they could. One that is in use waits for the next time. */
async function dropOrphans(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = '_millrace' AND c.relkind = 'r' AND c.relname ~ '^l_[0-9a-f]{32}$' AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
       AND NOT EXISTS (SELECT FROM _millrace.fence f WHERE 'l_' || replace(f.load_id::text, '-', '') = c.relname)`,
  );
  await client.query(`SET lock_timeout = '1s'`);
  for (const { name } of rows) await client.query(`DROP TABLE IF EXISTS _millrace."${name}"`).catch(keepLocked);
}

function keepLocked(error: unknown): void {
  if (!(error instanceof pg.DatabaseError) || error.code !== '55P03') throw error;
}
