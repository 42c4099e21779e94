import type pg from 'pg';
import type { Load } from '../../../schema/load.ts';
import { holdFence } from './fence.ts';
import { dropLoadTable } from './load-table.ts';
import { createLoadTable } from './prepare.ts';
import { findTarget } from './target.ts';

/** Gives a load a fresh, empty table under the same name, so that its files can be loaded again; `ordered` tables keep the order of rows. */
export async function startAgain(client: pg.Client, load: Load, epoch: number, ordered: boolean): Promise<void> {
  const fence = await holdFence(client, load, epoch, 'FOR UPDATE');
  await dropLoadTable(client, load.id);
  if (ordered) {
    await client.query('UPDATE _millrace.fence SET ordered = true WHERE (project, pipeline, stream) = ($1, $2, $3)', [
      load.project,
      load.pipeline,
      load.stream,
    ]);
  }
  await createLoadTable(client, load, { ...fence, ordered: fence.ordered || ordered }, await findTarget(client, load.target));
}
