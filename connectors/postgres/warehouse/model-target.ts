import pg from 'pg';
import type { ModelDefinition } from '../../../schema/definition.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { Target } from '../../../schema/stream.ts';
import { quoteIdentifier, quoteTable } from '../sql.ts';
import { copyOf, type Copied } from './copied.ts';
import { findDependents } from './dependents.ts';
import { checkRules } from './model-rules.ts';
import { columnList } from './names.ts';
import { findTarget, type TargetTable } from './target.ts';

/** A model whose SQL was taken over as it will run: without white space and semicolon at its end. */
export interface ModelBuild {
  readonly client: pg.Client;
  readonly model: ModelDefinition;
  readonly into: Target;
  readonly sql: string;
  /** Where a table is built before it takes its place. */
  readonly scratch: string;
}

interface Result {
  /** False when a view stayed as it was. */
  readonly changed: boolean;
  readonly rows: number;
  readonly notes: readonly string[];
}

/** Makes or replaces a view; what reads it stays while its columns keep their names and types. */
export async function buildView({ client, model, into, sql }: ModelBuild): Promise<Result> {
  const name = quoteTable(into);
  const there = await findTarget(client, into);
  if (there !== undefined && there.kind !== 'v') throw otherKind(model.name, into);
  const before = await viewText(client, name);
  await client.query('SAVEPOINT replace');
  try {
    await client.query(`CREATE OR REPLACE VIEW ${name} AS ${sql}`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '42P16' || there === undefined) throw error;
    await client.query('ROLLBACK TO SAVEPOINT replace');
    await replaceView(client, model.name, name, sql, there.oid);
  }
  return { changed: (await viewText(client, name)) !== before, rows: 0, notes: [] };
}

/** A view's query as the server has it; null when there is no view. */
async function viewText(client: pg.Client, name: string): Promise<string | null> {
  const { rows } = await client.query<{ text: string | null }>('SELECT pg_get_viewdef(to_regclass($1)) AS text', [name]);
  return rows[0]?.text ?? null;
}

async function replaceView(client: pg.Client, model: string, name: string, sql: string, oid: string): Promise<void> {
  const dependents = (await findDependents(client, oid)).filter(
    (dependent) => /^(rule|function) /.test(dependent) && !dependent.endsWith(` ${name.replaceAll('"', '')}`),
  );
  if (dependents.length > 0) throw changedColumns(model, dependents);
  const { rows } = await client.query<{ statement: string }>(
    `SELECT format('GRANT %s ON %s TO %s', g.privilege_type, $2::text, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END) AS statement
     FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
     WHERE c.oid = $1::oid AND g.grantee <> c.relowner`,
    [oid, name],
  );
  await client.query(`DROP VIEW ${name}`);
  await client.query(`CREATE VIEW ${name} AS ${sql}`);
  for (const row of rows) await client.query(row.statement);
}

/** Builds a table beside the old one and puts it in its place; where something hangs on the old one, that is filled instead. */
export async function buildTable(build: ModelBuild): Promise<Result> {
  const { client, model, into, sql } = build;
  const scratch = `_millrace.${build.scratch}`;
  const old = await findTarget(client, into);
  if (old !== undefined && old.kind !== 'r') throw otherKind(model.name, into);
  const { rowCount } = await client.query(`CREATE TABLE ${scratch} AS ${sql}`);
  await checkRules(client, model, scratch);
  const dependents = old === undefined ? [] : await findDependents(client, old.oid);
  if (old !== undefined && dependents.length > 0) await fillTable(build, scratch, old, dependents);
  else await swapTable(build, scratch, old);
  return {
    changed: true,
    rows: rowCount ?? 0,
    notes: dependents.length === 0 ? [] : [`filled in place, for the table carries ${dependents.join(', ')}`],
  };
}

async function swapTable({ client, model, into, scratch: name }: ModelBuild, scratch: string, old: TargetTable | undefined): Promise<void> {
  const key = model.key ?? [];
  if (key.length > 0) await addModelKey(client, model.name, scratch, key);
  if (old === undefined) await client.query(`CREATE TABLE ${quoteTable(into)} ()`);
  const oid = old?.oid ?? (await findTarget(client, into))?.oid ?? '0';
  const copied: Copied = await copyOf(client, oid, into, scratch, `${name}_`);
  for (const statement of copied.before) await client.query(statement);
  await client.query(`DROP TABLE ${quoteTable(into)}`);
  await client.query(`ALTER TABLE ${scratch} SET SCHEMA ${quoteIdentifier(into.schema)}`);
  await client.query(`ALTER TABLE ${quoteTable({ schema: into.schema, table: name })} RENAME TO ${quoteIdentifier(into.table)}`);
  for (const statement of copied.after) await client.query(statement);
}

async function addModelKey(client: pg.Client, model: string, scratch: string, key: readonly string[]): Promise<void> {
  try {
    await client.query(`ALTER TABLE ${scratch} ADD PRIMARY KEY (${columnList(key)})`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code?.startsWith('23') !== true) throw error;
    throw new MillraceError(
      'rejected',
      `model ${model}: its key (${key.join(', ')}) is not unique or has no value in some rows; what was built before stays as it is`,
    );
  }
}

async function fillTable(
  { client, model, into }: ModelBuild,
  scratch: string,
  old: TargetTable,
  dependents: readonly string[],
): Promise<void> {
  const { rows } = await client.query<{ same: boolean }>(
    `SELECT (SELECT array_agg((attname, atttypid, atttypmod)::text ORDER BY attname) FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped)
          = (SELECT array_agg((attname, atttypid, atttypmod)::text ORDER BY attname) FROM pg_catalog.pg_attribute WHERE attrelid = $2::regclass AND attnum > 0 AND NOT attisdropped) AS same`,
    [old.oid, scratch],
  );
  if (rows[0]?.same !== true) throw changedColumns(model.name, dependents);
  const columns = columnList(old.columns.map((column) => column.name));
  await client.query(`DELETE FROM ${quoteTable(into)}`);
  await client.query(`INSERT INTO ${quoteTable(into)} (${columns}) SELECT ${columns} FROM ${scratch}`);
  await client.query(`DROP TABLE ${scratch}`);
}

function changedColumns(model: string, dependents: readonly string[]): MillraceError {
  return new MillraceError(
    'schema',
    `model ${model}: its columns changed while it carries ${dependents.join(', ')}; drop those, build the model, and make them again`,
  );
}

function otherKind(model: string, into: { readonly schema: string; readonly table: string }): MillraceError {
  return new MillraceError(
    'config',
    `model ${model}: ${into.schema}.${into.table} was built as something else (table or view); drop it, or choose another name with into`,
  );
}
