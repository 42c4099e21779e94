import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Load } from '../../../schema/load.ts';
import { rejectionColumns } from '../../../schema/load.ts';
import type { Attempt } from '../../connector.ts';
import { quoteIdentifier } from '../sql.ts';
import { columnList } from './names.ts';

/** Rejections kept for each rule and load; all are counted. */
const keepSample = 1000;

const columns = columnList(rejectionColumns);

/** Copies the staged rejections of a load into a temporary table of the session, outside of the commit's transaction. */
export async function receiveRejections(client: pg.Client, bytes: AsyncIterable<Uint8Array>, attempt: Attempt): Promise<number> {
  const definitions = rejectionColumns.map((name) => `${quoteIdentifier(name)} text`).join(', ');
  await client.query(`CREATE TEMP TABLE IF NOT EXISTS rejected (no bigint GENERATED ALWAYS AS IDENTITY, ${definitions})`);
  const stream = client.query(copyFrom(`COPY pg_temp.rejected (${columns}) FROM STDIN (FORMAT csv)`));
  const beating = async function* (): AsyncIterable<Uint8Array> {
    for await (const chunk of bytes) {
      attempt.beat();
      yield chunk;
    }
  };
  await pipeline(beating, stream, { signal: attempt.signal });
  return stream.rowCount;
}

/** How many rejections of one rule a load keeps: of a retry all, for it closes those that were kept before. */
export function sampleOf(load: Load): number {
  return load.retries === undefined ? keepSample : Number.MAX_SAFE_INTEGER;
}

/** Keeps the received rejections of a load, at most a sample for each rule. */
export async function storeRejections(client: pg.Client, load: Load): Promise<void> {
  if (load.reconciles) return;
  await client.query(
    `INSERT INTO _millrace.rejections (project, pipeline, stream, load_id, ${columns})
     SELECT $1, $2, $3, $4, ${columns} FROM (
       SELECT *, row_number() OVER (PARTITION BY "column", rule ORDER BY no) AS nth FROM pg_temp.rejected) r
     WHERE nth <= ${sampleOf(load)} ORDER BY no`,
    [load.project, load.pipeline, load.stream, load.id],
  );
}
