import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { SyncRunName } from '../../../schema/sync.ts';
import type { Attempt } from '../../connector.ts';
import type { Hold } from '../../sync-books.ts';
import type { BooksConnection } from './connection.ts';
import { syncPlace } from './names.ts';

/** Takes the books for the run that planned last; its attempt before can't write any more. */
export async function hold(books: BooksConnection, run: SyncRunName, attempt: Attempt): Promise<Hold> {
  const rows = await books.run(attempt, async (client) => {
    const result = await client.query<{ epoch: string; wait: boolean }>(
      `UPDATE _millrace.syncs s SET epoch = s.epoch + 1, released = false
       FROM (SELECT sync_no, released FROM _millrace.syncs WHERE (project, sync) = ($1, $2) FOR UPDATE) before
       WHERE s.sync_no = before.sync_no AND s.run_id = $3 RETURNING s.epoch, NOT before.released AS wait`,
      [run.project, run.sync, run.runId],
    );
    return result.rows;
  });
  const row = rows[0];
  if (row === undefined) throw fenced(run);
  return { run, epoch: Number(row.epoch), wait: row.wait };
}

export async function release(books: BooksConnection, { run, epoch }: Hold, attempt: Attempt): Promise<void> {
  await books.run(attempt, async (client) => {
    await client.query('UPDATE _millrace.syncs SET released = true WHERE (project, sync, epoch) = ($1, $2, $3)', [
      run.project,
      run.sync,
      epoch,
    ]);
  });
}

export async function prove(books: BooksConnection, { run, epoch }: Hold, attempt: Attempt): Promise<void> {
  await books.run(attempt, async (client) => {
    const { rows } = await client.query({
      name: 'prove',
      text: 'SELECT FROM _millrace.syncs WHERE (project, sync, epoch) = ($1, $2, $3)',
      values: [run.project, run.sync, epoch],
    });
    if (rows.length === 0) throw fenced(run);
  });
}

/** A run whose books are held until the transaction ends. */
export interface HeldRun {
  readonly syncNo: number;
  readonly runNo: number;
  /** Numbers that have an outcome, as PostgreSQL writes a multirange. */
  readonly done: string;
}

/** Checks the hold and keeps it through the transaction: who takes the books waits for its end. Attempts of one run go one after the other. */
export async function keepHold(client: pg.Client, { run, epoch }: Hold): Promise<HeldRun> {
  const { rows } = await client.query<{ sync_no: number; run_no: number; done: string }>({
    name: 'hold',
    text: `SELECT s.sync_no, r.run_no, r.done::text AS done FROM _millrace.syncs s JOIN _millrace.sync_runs r ON r.sync_no = s.sync_no
      WHERE (s.project, s.sync, s.epoch) = ($1, $2, $3) AND r.run_id = $4 AND (r.status = 'running' OR r.jobs IS NOT NULL) FOR UPDATE OF r FOR SHARE OF s`,
    values: [run.project, run.sync, epoch, run.runId],
  });
  const row = rows[0];
  if (row === undefined) throw fenced(run);
  return { syncNo: row.sync_no, runNo: row.run_no, done: row.done };
}

export function fenced(run: SyncRunName): MillraceError {
  return new MillraceError(
    'fenced',
    `${syncPlace(run)}: run ${run.runId} may not write its books any more: another attempt or run took over, or it has ended`,
  );
}
