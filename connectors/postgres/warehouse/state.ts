import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Fingerprint, Load, StreamState } from '../../../schema/load.ts';
import type { Target } from '../../../schema/stream.ts';
import { place } from './names.ts';
import { findTarget } from './target.ts';

export interface StreamName {
  readonly project: string;
  readonly pipeline: string;
  readonly stream: string;
}

interface StateRow {
  readonly version: string;
  readonly generation: string;
  readonly cursor: string | null;
  readonly fingerprint: string | null;
}

export type BookedState = Omit<StreamState, 'targetExists'>;

/** The booked state of a stream; version 0 when nothing was loaded yet. */
export async function readState(client: pg.Client, name: StreamName): Promise<BookedState> {
  const { rows } = await client.query<StateRow>(
    'SELECT version, generation, cursor, fingerprint::text AS fingerprint FROM _millrace.state WHERE (project, pipeline, stream) = ($1, $2, $3)',
    [name.project, name.pipeline, name.stream],
  );
  const row = rows[0];
  if (row === undefined) return { version: 0, generation: 0, cursor: null, fingerprint: null };
  const fingerprint = row.fingerprint === null ? null : (JSON.parse(row.fingerprint) as Fingerprint);
  return { version: Number(row.version), generation: Number(row.generation), cursor: row.cursor, fingerprint };
}

/** The state with the fact whether its target is there. */
export async function readStreamState(client: pg.Client, name: StreamName, target: Target): Promise<StreamState> {
  return { ...(await readState(client, name)), targetExists: (await findTarget(client, target)) !== undefined };
}

/** Makes the state row before the first load, and raises its generation for a full refresh: loads of earlier generations can't commit any more. */
export async function raiseGeneration(client: pg.Client, load: Load): Promise<void> {
  await client.query(
    `INSERT INTO _millrace.state AS s (project, pipeline, stream, version, generation) VALUES ($1, $2, $3, 0, $4)
     ON CONFLICT (project, pipeline, stream) DO UPDATE SET generation = greatest(s.generation, excluded.generation)`,
    [load.project, load.pipeline, load.stream, load.generation],
  );
}

/**
 * Moves the state by one version. A reconciliation counts from the commit before it, which asked for it, so that long reads of keys don't
 * let a daily one wander. Throws `conflict` when another load moved it since the plan.
 */
export async function moveState(client: pg.Client, load: Load, rebuild: boolean): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE _millrace.state SET version = version + 1, cursor = CASE WHEN $6 THEN $7 ELSE coalesce($7, cursor) END,
       fingerprint = $8, load_id = $9, updated_at = now(),
       reconciled_at = CASE WHEN $11 THEN updated_at WHEN $10 THEN now() ELSE reconciled_at END
     WHERE (project, pipeline, stream) = ($1, $2, $3) AND version = $4 AND generation = $5`,
    [
      load.project,
      load.pipeline,
      load.stream,
      load.expectedVersion,
      load.generation,
      rebuild,
      load.cursor,
      JSON.stringify(load.fingerprint),
      load.id,
      rebuild || load.complete,
      load.reconciles === true,
    ],
  );
  if (rowCount !== 1) throw moved(load);
}

/** Runs come with jitter: what is daily happens in each daily run, though one is a little earlier than the day before. */
const early = 0.05;

/** True when a stream's deletes are to be looked for now: its last complete read is longer ago than `reconcileEvery`. */
export async function isReconcileDue(client: pg.Client, load: Load): Promise<boolean> {
  const { reconcileEvery, deletes } = load.definition;
  if (reconcileEvery === undefined || deletes === 'keep' || load.reconciles || load.retries !== undefined) return false;
  const { rows } = await client.query(
    `SELECT FROM _millrace.state WHERE (project, pipeline, stream) = ($1, $2, $3)
       AND (reconciled_at IS NULL OR reconciled_at <= now() - make_interval(secs => $4))`,
    [load.project, load.pipeline, load.stream, (reconcileEvery / 1000) * (1 - early)],
  );
  return rows.length > 0;
}

/** The refusal of a load whose plan is out of date. */
export function moved(load: Load): MillraceError {
  return new MillraceError(
    'conflict',
    `${place(load)}: another load has moved the stream's state since version ${load.expectedVersion} (generation ${load.generation}) was planned; it is planned again`,
  );
}
