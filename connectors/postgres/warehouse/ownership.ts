import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Load } from '../../../schema/load.ts';
import { place } from './names.ts';
import type { TargetTable } from './target.ts';

/** Refuses a target that Millrace didn't make for this stream, by name, unless the definition adopts it. */
export async function checkOwnership(client: pg.Client, load: Load, target: TargetTable | undefined): Promise<void> {
  const { rows } = await client.query<{ project: string; pipeline: string; stream: string }>(
    'SELECT project, pipeline, stream FROM _millrace.tables WHERE table_schema = $1 AND table_name = $2',
    [load.target.schema, load.target.table],
  );
  const owner = rows[0];
  const name = `${load.target.schema}.${load.target.table}`;
  if (owner !== undefined && (owner.project !== load.project || owner.pipeline !== load.pipeline || owner.stream !== load.stream)) {
    throw new MillraceError(
      'config',
      `${place(load)}: table ${name} belongs to stream ${owner.stream} of pipeline ${owner.pipeline} (project ${owner.project}); choose another table with into, or give it over with: millrace state ${owner.pipeline} --rename`,
    );
  }
  if (target === undefined) return;
  if (target.kind !== 'r' && target.kind !== 'p')
    throw new MillraceError('config', `${place(load)}: ${name} is not a table; choose another name with into`);
  if (owner === undefined && !load.definition.adopt) {
    throw new MillraceError(
      'config',
      `${place(load)}: table ${name} exists and Millrace didn't make it, so it isn't written; choose another table with into, or let Millrace take it with adopt: true`,
    );
  }
}

/** Books the target as this stream's. */
export async function bookTable(client: pg.Client, load: Load, adopted: boolean): Promise<void> {
  await client.query(
    `INSERT INTO _millrace.tables (table_schema, table_name, project, pipeline, stream, adopted) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (table_schema, table_name) DO NOTHING`,
    [load.target.schema, load.target.table, load.project, load.pipeline, load.stream, adopted],
  );
}
