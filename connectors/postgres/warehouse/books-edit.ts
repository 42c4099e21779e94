import type pg from 'pg';
import type { StreamName } from '../../../schema/books.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { Cursor } from '../../../schema/stream.ts';
import type { Attempt } from '../../connector.ts';
import { ensureBooks } from './books.ts';
import { openSession, type WarehouseContext } from './open.ts';
import { inTransaction } from './transaction.ts';

/** Sets where the next read of a stream begins; a load under way is planned again. Throws `not-found` when the stream was never loaded. */
export async function setCursor(context: WarehouseContext, name: StreamName, cursor: Cursor | null, attempt: Attempt): Promise<void> {
  await edit(context, attempt, async (client) => {
    const { rowCount } = await client.query(
      `UPDATE _millrace.state SET cursor = $4, version = version + 1, updated_at = now()
       WHERE (project, pipeline, stream) = ($1, $2, $3) AND cursor IS DISTINCT FROM $4`,
      [name.project, name.pipeline, name.stream, cursor],
    );
    if (rowCount === 0) await mustExist(client, name);
  });
}

/** Tables that name a stream. */
const naming = ['state', 'fence', 'loads', 'failures', 'rejections', 'tables'] as const;

/** Gives a stream's state, tables and books to another name, after it was renamed in the source or the project file; harmless when done already. */
export async function renameStream(context: WarehouseContext, name: StreamName, to: string, attempt: Attempt): Promise<void> {
  await edit(context, attempt, async (client) => {
    const { rows: taken } = await client.query(
      'SELECT FROM _millrace.state WHERE (project, pipeline, stream) = ($1, $2, $3) AND version > 0',
      [name.project, name.pipeline, to],
    );
    const { rows: found } = await client.query('SELECT FROM _millrace.state WHERE (project, pipeline, stream) = ($1, $2, $3)', [
      name.project,
      name.pipeline,
      name.stream,
    ]);
    if (found.length === 0 && taken.length > 0) return;
    if (found.length === 0) await mustExist(client, name);
    if (taken.length > 0)
      throw new MillraceError(
        'config',
        `pipeline ${name.pipeline}: stream ${to} was loaded already, so ${name.stream} can't take its name`,
      );
    for (const table of ['state', 'fence']) {
      await client.query(`DELETE FROM _millrace.${table} WHERE (project, pipeline, stream) = ($1, $2, $3)`, [
        name.project,
        name.pipeline,
        to,
      ]);
    }
    for (const table of naming) {
      await client.query(`UPDATE _millrace.${table} SET stream = $4 WHERE (project, pipeline, stream) = ($1, $2, $3)`, [
        name.project,
        name.pipeline,
        name.stream,
        to,
      ]);
    }
    await client.query(
      `UPDATE _millrace.state SET version = version + 1, fingerprint = jsonb_set(fingerprint, '{stream}', to_jsonb($4::text))
       WHERE (project, pipeline, stream) = ($1, $2, $3) AND fingerprint IS NOT NULL`,
      [name.project, name.pipeline, to, to],
    );
  });
}

async function edit(context: WarehouseContext, attempt: Attempt, work: (client: pg.Client) => Promise<void>): Promise<void> {
  await using session = await openSession(context, attempt);
  await session.run(ensureBooks);
  await inTransaction(context.settings, session, attempt, context.locks, work);
}

async function mustExist(client: pg.Client, name: StreamName): Promise<void> {
  const { rows } = await client.query<{ stream: string; same: boolean }>(
    'SELECT stream, stream = $3 AS same FROM _millrace.state WHERE project = $1 AND pipeline = $2 ORDER BY stream',
    [name.project, name.pipeline, name.stream],
  );
  if (rows.some((row) => row.same)) return;
  const known = rows.length === 0 ? 'none of its streams was loaded yet' : `it has ${rows.map((row) => row.stream).join(', ')}`;
  throw new MillraceError('not-found', `pipeline ${name.pipeline} has no stream ${name.stream} in the books; ${known}`);
}
