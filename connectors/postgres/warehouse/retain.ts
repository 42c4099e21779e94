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
  });
}
