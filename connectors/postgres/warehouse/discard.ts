import type { Load, Prepared } from '../../../schema/load.ts';
import type { Attempt } from '../../connector.ts';
import { ensureBooks } from './books.ts';
import { dropLoadTable } from './load-table.ts';
import { openSession, type WarehouseContext } from './open.ts';
import { committedEpoch } from './prepare.ts';
import { receiveRejections, storeRejections } from './rejections.ts';
import { endSessionsOf, inTransaction } from './transaction.ts';

/** Gives up a load: shuts its sessions out, drops its table, and keeps a counted sample of its rejections. A committed load stays as it is. */
export async function discard(
  context: WarehouseContext,
  load: Load,
  prepared: Prepared | undefined,
  rejections: AsyncIterable<Uint8Array>,
  reason: string,
  attempt: Attempt,
): Promise<void> {
  await using session = await openSession(context, attempt, load);
  const rejected = await session.run(async (client) => {
    await endSessionsOf(client, load.id);
    await ensureBooks(client);
    return await receiveRejections(client, rejections, attempt);
  });
  await inTransaction(context.settings, session, attempt, context.locks, async (client) => {
    if (prepared !== undefined) {
      await client.query(
        `UPDATE _millrace.fence SET epoch = epoch + 1, load_id = NULL WHERE (project, pipeline, stream) = ($1, $2, $3) AND epoch = $4 AND load_id = $5`,
        [load.project, load.pipeline, load.stream, prepared.epoch, load.id],
      );
    }
    if ((await committedEpoch(client, load.id)) !== undefined) return;
    await dropLoadTable(client, load.id);
    const { rowCount } = await client.query(
      `INSERT INTO _millrace.failures (load_id, project, pipeline, stream, reason, rejected, workflow_id, run_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (load_id) DO NOTHING`,
      [load.id, load.project, load.pipeline, load.stream, reason, rejected, load.workflowId, load.runId],
    );
    if (rowCount === 1 && load.retries === undefined) await storeRejections(client, load);
  });
}
