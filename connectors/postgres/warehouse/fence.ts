import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Load } from '../../../schema/load.ts';
import { place } from './names.ts';

/** What the fence row says of the load that holds it. */
export interface Fence {
  readonly epoch: number;
  /** The target is built anew: first load, `replace`, or a full refresh. */
  readonly rebuild: boolean;
  /** Keys of this stream were found to repeat within a load, so its load tables keep the order of rows. */
  readonly ordered: boolean;
  /** The load that held the fence before. */
  readonly previous: string | null;
}

interface FenceRow {
  readonly epoch: string;
  readonly rebuild: boolean;
  readonly ordered: boolean;
  readonly previous: string | null;
}

/** Takes the stream's fence: the same load gets its epoch back, another one raises it and shuts earlier loads out. Waits for a commit under way. */
export async function takeFence(client: pg.Client, load: Load, rebuild: boolean): Promise<Fence> {
  const { rows } = await client.query<FenceRow>(
    `INSERT INTO _millrace.fence AS f (project, pipeline, stream, epoch, load_id, rebuild, ordered) VALUES ($1, $2, $3, 1, $4, $5, false)
     ON CONFLICT (project, pipeline, stream) DO UPDATE SET
       epoch = CASE WHEN f.load_id = excluded.load_id THEN f.epoch ELSE f.epoch + 1 END,
       rebuild = CASE WHEN f.load_id = excluded.load_id THEN f.rebuild ELSE excluded.rebuild END,
       load_id = excluded.load_id, at = now()
     RETURNING epoch, rebuild, ordered, (SELECT o.load_id::text FROM _millrace.fence o WHERE (o.project, o.pipeline, o.stream) = ($1, $2, $3)) AS previous`,
    [load.project, load.pipeline, load.stream, load.id, rebuild],
  );
  return asFence(rows[0], load);
}

/** Reads the fence and refuses a load that no longer holds it. `FOR SHARE` makes the next `takeFence` wait until this transaction ends. */
export async function holdFence(client: pg.Client, load: Load, epoch: number, lock: 'FOR SHARE' | 'FOR UPDATE' | ''): Promise<Fence> {
  const { rows } = await client.query<FenceRow>(
    `SELECT epoch, rebuild, ordered, load_id::text AS previous FROM _millrace.fence WHERE (project, pipeline, stream) = ($1, $2, $3) ${lock}`,
    [load.project, load.pipeline, load.stream],
  );
  const fence = asFence(rows[0], load);
  if (fence.epoch !== epoch) throw fenced(load, fence.previous);
  return fence;
}

function asFence(row: FenceRow | undefined, load: Load): Fence {
  if (row === undefined) throw fenced(load, null);
  return { ...row, epoch: Number(row.epoch) };
}

function fenced(load: Load, other: string | null): MillraceError {
  const by = other === null || other === load.id ? 'it was given up' : `load ${other} took over`;
  return new MillraceError('fenced', `${place(load)}: load ${load.id} may not write any more: ${by}`);
}
