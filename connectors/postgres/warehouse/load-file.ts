import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { MillraceError } from '../../../schema/errors.ts';
import type { Load, Loaded, Prepared, StagedFile } from '../../../schema/load.ts';
import type { Attempt } from '../../connector.ts';
import { holdFence } from './fence.ts';
import { findLoadTable, type LoadTable } from './load-table.ts';
import { columnList, place } from './names.ts';
import { openSession, type WarehouseContext } from './open.ts';
import { committedEpoch } from './prepare.ts';
import { endEarlierSessions } from './transaction.ts';

/** Milliseconds between two reports of bytes. */
const beatEvery = 500;

/** Puts one file into the load's table in one transaction with its row in the list of files, so that it is there once or not at all. */
export async function loadFile(
  context: WarehouseContext,
  load: Load,
  prepared: Prepared,
  file: StagedFile,
  fileNo: number,
  bytes: AsyncIterable<Uint8Array>,
  attempt: Attempt,
): Promise<Loaded> {
  await using session = await openSession(context, attempt, load);
  return await session.run(async (client) => {
    await endEarlierSessions(client);
    if ((await committedEpoch(client, load.id)) !== undefined) return { rows: file.rows, bytes: file.bytes };
    await holdFence(client, load, prepared.epoch, '');
    const table = await findLoadTable(client, load.id);
    if (table === undefined) throw lost(load, file, 'its table in the warehouse is gone');
    await client.query(`SELECT set_config('millrace.file', $1, false)`, [String(fileNo)]);
    await client.query('BEGIN');
    try {
      const recorded = await claim(client, load, table, file, fileNo);
      if (recorded !== undefined) return recorded;
      await copy(client, load, table, file, bytes, attempt);
      await client.query('COMMIT');
    } catch (error) {
      // After a failed COPY nothing more can be said on this connection.
      session.destroy();
      throw error;
    }
    return { rows: file.rows, bytes: file.bytes };
  });
}

/** Writes the file into the list; waits while another attempt is at it, and gives what that one recorded. */
async function claim(client: pg.Client, load: Load, table: LoadTable, file: StagedFile, fileNo: number): Promise<Loaded | undefined> {
  const { rowCount } = await client.query(
    `INSERT INTO ${table.files} (load_id, file_no, rows, bytes, sha256) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (load_id, file_no) DO NOTHING`,
    [load.id, fileNo, file.rows, file.bytes, file.sha256],
  );
  if (rowCount === 1) return undefined;
  await client.query('COMMIT');
  const { rows } = await client.query<{ rows: string; bytes: string }>(
    `SELECT rows, bytes FROM ${table.files} WHERE load_id = $1 AND file_no = $2`,
    [load.id, fileNo],
  );
  const recorded = rows[0];
  if (recorded === undefined) throw lost(load, file, 'its record vanished');
  return { rows: Number(recorded.rows), bytes: Number(recorded.bytes) };
}

async function copy(
  client: pg.Client,
  load: Load,
  table: LoadTable,
  file: StagedFile,
  bytes: AsyncIterable<Uint8Array>,
  attempt: Attempt,
): Promise<void> {
  const format = file.format.kind === 'pgcopy' ? 'binary' : 'csv';
  if (file.format.kind === 'foreign')
    throw new MillraceError('config', `${place(load)}: a file from outside can't be loaded before it is parsed`);
  const columns = columnList(load.columns.map((column) => column.name));
  const stream = client.query(copyFrom(`COPY ${table.name} (${columns}) FROM STDIN (FORMAT ${format})`, { highWaterMark: 1 << 18 }));
  let sent = 0;
  let beaten = Date.now();
  const counted = async function* (): AsyncIterable<Uint8Array> {
    for await (const chunk of bytes) {
      sent += chunk.byteLength;
      if (Date.now() - beaten >= beatEvery) {
        beaten = Date.now();
        attempt.beat({ bytes: sent });
      }
      yield chunk;
    }
    if (sent !== file.bytes) throw lost(load, file, `${sent} bytes were read and ${file.bytes} are expected`);
  };
  await pipeline(counted, stream, { signal: attempt.signal });
  if (stream.rowCount !== file.rows) throw lost(load, file, `${stream.rowCount} rows were found and ${file.rows} are expected`);
}

function lost(load: Load, file: StagedFile, why: string): MillraceError {
  return new MillraceError('staging-lost', `${place(load)}: staged file ${file.name} can't be loaded: ${why}; its files are loaded again`);
}
