import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Committed, Load, Manifest } from '../../../schema/load.ts';
import type { Delivered } from './delivery.ts';
import { place } from './names.ts';

interface LoadRow {
  readonly read: string;
  readonly loaded: string;
  readonly rejected: string;
  readonly filtered: string;
  readonly duplicates: string;
  readonly unchanged: string;
  readonly deleted: string;
  readonly version: string;
  readonly notes: readonly string[];
}

/** What a committed load delivered; undefined when it isn't in the books. */
export async function readCommitted(client: pg.Client, loadId: string): Promise<Committed | undefined> {
  const { rows } = await client.query<LoadRow>(
    'SELECT read, loaded, rejected, filtered, duplicates, unchanged, deleted, version, notes FROM _millrace.loads WHERE load_id = $1',
    [loadId],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { notes, ...counts } = row;
  const [read, loaded, rejected, filtered, duplicates, unchanged] = [
    row.read,
    row.loaded,
    row.rejected,
    row.filtered,
    row.duplicates,
    row.unchanged,
  ].map(Number);
  return {
    read: read ?? 0,
    loaded: loaded ?? 0,
    rejected: rejected ?? 0,
    filtered: filtered ?? 0,
    duplicates: duplicates ?? 0,
    unchanged: unchanged ?? 0,
    deleted: Number(counts.deleted),
    version: Number(counts.version),
    notes,
  };
}

/** The mode as it is booked: loads that don't read the source's rows say what they are instead. */
function modeOf(load: Load): string {
  if (load.reconciles) return 'reconcile';
  return load.retries === undefined ? load.definition.mode : 'retry';
}

/** Enters a load into the books; its key makes a second delivery impossible: it waits for another attempt at it, and gives what that one delivered. */
async function open(client: pg.Client, load: Load, epoch: number, manifest: Manifest): Promise<Committed | undefined> {
  const checksum = createHash('sha256').update(JSON.stringify(manifest.files)).digest('hex');
  const { rowCount } = await client.query(
    `INSERT INTO _millrace.loads (load_id, project, pipeline, stream, target_schema, target_table, mode, generation, version, epoch, cursor, complete,
       read, loaded, rejected, filtered, duplicates, unchanged, deleted, files, checksum, notes, workflow_id, run_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, 0, 0, 0, 0, 0, $13, $14, '{}', $15, $16)
     ON CONFLICT (load_id) DO NOTHING`,
    [
      load.id,
      load.project,
      load.pipeline,
      load.stream,
      load.target.schema,
      load.target.table,
      modeOf(load),
      load.generation,
      load.expectedVersion + 1,
      epoch,
      load.cursor,
      load.complete,
      manifest.files.length,
      checksum,
      load.workflowId,
      load.runId,
    ],
  );
  return rowCount === 1 ? undefined : await readCommitted(client, load.id);
}

/** Books what became of the load's rows; they must balance. */
async function close(
  client: pg.Client,
  load: Load,
  manifest: Manifest,
  delivered: Delivered,
  notes: readonly string[],
): Promise<Committed> {
  const counts = {
    read: manifest.read,
    loaded: delivered.loaded,
    rejected: manifest.rejected + delivered.rejected,
    filtered: manifest.filtered,
    duplicates: manifest.duplicates + delivered.duplicates,
    unchanged: delivered.unchanged,
  };
  const sum = counts.loaded + counts.rejected + counts.filtered + counts.duplicates + counts.unchanged;
  if (sum !== counts.read) {
    throw new Error(`${place(load)}: the books of load ${load.id} don't balance: ${JSON.stringify(counts)}`);
  }
  const all = [...notes, ...delivered.notes];
  await client.query(
    `UPDATE _millrace.loads SET read = $2, loaded = $3, rejected = $4, filtered = $5, duplicates = $6, unchanged = $7, deleted = $8, notes = $9, committed_at = now()
     WHERE load_id = $1`,
    [load.id, counts.read, counts.loaded, counts.rejected, counts.filtered, counts.duplicates, counts.unchanged, delivered.deleted, all],
  );
  return { ...counts, deleted: delivered.deleted, version: load.expectedVersion + 1, notes: all };
}

export const bookLoad = { open, close };
