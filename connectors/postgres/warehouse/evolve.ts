import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import type { Load } from '../../../schema/load.ts';
import { quoteIdentifier, quoteTable } from '../sql.ts';
import { sqlType } from '../types.ts';
import type { ContractPlan } from './contract.ts';
import { place } from './names.ts';
import { ownColumns } from './own-columns.ts';
import type { TargetTable } from './target.ts';

/** Adds the columns that the contract lets in, and those of our own that a changed mode needs; harmless when run again. */
export async function addColumns(client: pg.Client, load: Load, plan: ContractPlan, target: TargetTable): Promise<void> {
  const there = new Set(target.columns.map((column) => column.name));
  const own = ownColumns(load).filter((definition) => !there.has(definition.split(' ')[0] ?? ''));
  const columns = plan.add.map((column) => `${quoteIdentifier(column.name)} ${sqlType(column.type)}`);
  // Rows of an adopted table were loaded by nobody, so our columns stay NULL there.
  const added = [...columns, ...own.map((definition) => definition.replace(/ NOT NULL.*$/, ''))];
  if (added.length === 0) return;
  await client.query(`ALTER TABLE ${quoteTable(load.target)} ${added.map((column) => `ADD COLUMN IF NOT EXISTS ${column}`).join(', ')}`);
}

/** Widens the columns that the load needs wider. Throws `schema` naming the view that stands in the way. */
export async function widenColumns(client: pg.Client, load: Load, plan: ContractPlan, target: TargetTable): Promise<void> {
  if (plan.widen.length === 0) return;
  const views = await viewsOn(
    client,
    target.oid,
    plan.widen.map((change) => change.name),
  );
  const [first] = views;
  if (first !== undefined) {
    throw new MillraceError(
      'schema',
      `${place(load)}: column ${first.column} of ${load.target.schema}.${load.target.table} has to be widened for this load and ${first.dependent} uses it; drop that view, run the pipeline, and make the view again, or set the contract for types to discard`,
    );
  }
  const changes = plan.widen.map(
    ({ name, to }) => `ALTER COLUMN ${quoteIdentifier(name)} TYPE ${sqlType(to)} USING ${quoteIdentifier(name)}::${sqlType(to)}`,
  );
  await client.query(`ALTER TABLE ${quoteTable(load.target)} ${changes.join(', ')}`);
}

async function viewsOn(
  client: pg.Client,
  oid: string,
  columns: readonly string[],
): Promise<readonly { readonly column: string; readonly dependent: string }[]> {
  const { rows } = await client.query<{ column: string; dependent: string }>(
    `SELECT a.attname::text AS "column", CASE c.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || c.oid::regclass::text AS dependent
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
     JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid AND a.attname = ANY ($2)
     ORDER BY 2, 1`,
    [oid, columns],
  );
  return rows;
}
