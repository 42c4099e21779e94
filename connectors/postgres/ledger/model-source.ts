import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Column } from '../../../schema/column.ts';
import type { SyncDefinition } from '../../../schema/sync-definition.ts';
import type { ModelRows } from '../../sync-books.ts';
import { quoteIdentifier } from '../sql.ts';
import { sqlType } from '../types.ts';
import { bareQuery, queryFailed } from '../warehouse/model-query.ts';
import { queryColumns } from '../warehouse/query.ts';

/** A model's rows as a query in the books' database. */
export interface ModelSource {
  readonly sql: string;
  readonly columns: readonly Column[];
}

const copied = 'pg_temp.millrace_model';

/** Copies rows of a model in another database into a temporary table; a COPY that doesn't end well leaves none. */
export async function copyModel(client: pg.Client, rows: ModelRows): Promise<ModelSource> {
  const columns = rows.columns.map(({ name, type }) => `${quoteIdentifier(name)} ${sqlType(type)}`);
  await client.query(`DROP TABLE IF EXISTS ${copied}; CREATE TEMPORARY TABLE millrace_model (${columns.join(', ')})`);
  await pipeline(rows.bytes, client.query(copyFrom(`COPY ${copied} FROM STDIN (FORMAT csv, NULL '', ENCODING 'UTF8')`)));
  await client.query(`ANALYZE ${copied}`);
  return { sql: `TABLE ${copied}`, columns: rows.columns };
}

/** The model's own query, within a transaction; names without a schema are in public from here on. Throws `config` in the database's words. */
export async function ownModel(client: pg.Client, sync: SyncDefinition): Promise<ModelSource> {
  await client.query('SET LOCAL search_path = public');
  const sql = bareQuery(sync.model.sql);
  try {
    return { sql, columns: await queryColumns(client, sql) };
  } catch (error) {
    throw queryFailed(error, `model ${sync.model.name}`);
  }
}
