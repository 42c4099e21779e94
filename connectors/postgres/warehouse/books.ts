import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import { quoteIdentifier } from '../sql.ts';
import { migrations } from './migrations.ts';

/** Serializes migrations of one database: two workers that start together migrate once. */
const migrationLock = 7_215_460_331;

/** Makes the books (`_millrace`) or takes them forward to this version. Throws `config` when a newer Millrace has migrated them. */
export async function ensureBooks(client: pg.Client): Promise<void> {
  if ((await booksVersion(client)) === migrations.length) return;
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
  const version = await booksVersion(client);
  if (version === 0) await makeBooks(client);
  for (const [at, migration] of migrations.entries()) {
    if (at < version) continue;
    await client.query(migration);
    await client.query('INSERT INTO _millrace.version (version) VALUES ($1)', [at + 1]);
  }
  await client.query('COMMIT');
}

async function makeBooks(client: pg.Client): Promise<void> {
  await ensureSchema(client, '_millrace');
  await client.query(`REVOKE ALL ON SCHEMA _millrace FROM PUBLIC;
COMMENT ON SCHEMA _millrace IS 'Books of Millrace: what each load delivered, where each stream stands, which rows were refused.';
CREATE TABLE _millrace.version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE _millrace.version IS 'Versions of this schema; the greatest is the present one.'`);
}

async function booksVersion(client: pg.Client): Promise<number> {
  // A look into the catalogue, for `to_regclass` may answer from a cache that is older than the lock.
  const { rows: found } = await client.query(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '_millrace' AND c.relname = 'version'`,
  );
  if (found.length === 0) return 0;
  const { rows } = await client.query<{ version: number }>('SELECT coalesce(max(version), 0)::int AS version FROM _millrace.version');
  const version = rows[0]?.version ?? 0;
  if (version > migrations.length) {
    throw new MillraceError(
      'config',
      `the warehouse's books (schema _millrace) have version ${version}, this worker knows ${migrations.length}: a newer Millrace has migrated them, so update this worker`,
    );
  }
  return version;
}

/** Makes a schema where it is missing, within a transaction; one that is there needs no right to make it. */
export async function ensureSchema(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query('SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1', [schema]);
  if (rows.length > 0) return;
  // IF NOT EXISTS fails when another transaction makes the schema at the same time: streams of a first run do.
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [schema, migrationLock]);
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`);
}
