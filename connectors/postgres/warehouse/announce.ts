import type pg from 'pg';
import type { ModelDefinition } from '../../../schema/definition.ts';
import type { Load } from '../../../schema/load.ts';
import type { Target } from '../../../schema/stream.ts';
import type { Delivered } from './delivery.ts';

/** Announces a commit that changed rows, or put a table in place of what was there, though it may be empty. The last statement of its transaction. */
export async function announceLoad(client: pg.Client, load: Load, delivered: Delivered, replaced: boolean): Promise<void> {
  const rows = delivered.loaded + delivered.deleted;
  if (rows === 0 && !replaced) return;
  await announce(client, load.project, load.target, load.pipeline, load.id, rows);
}

/** Announces the build of a model; the same rule. */
export async function announceModel(client: pg.Client, model: ModelDefinition, into: Target, rows: number): Promise<void> {
  await announce(client, model.project, into, model.name, null, rows);
}

async function announce(
  client: pg.Client,
  project: string,
  { schema, table }: Target,
  name: string,
  loadId: string | null,
  rows: number,
): Promise<void> {
  await client.query('SELECT _millrace.announce($1, $2, $3, $4, $5)', [project, `${schema}.${table}`, name, loadId, rows]);
}
