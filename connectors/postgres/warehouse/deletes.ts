import { MillraceError } from '../../../schema/errors.ts';
import { quoteTable } from '../sql.ts';
import { sqlType } from '../types.ts';
import type { Delivery } from './delivery.ts';
import { columnList, deletedAtColumn, place } from './names.ts';
import { isRejectedKey, knowsRejectedKeys } from './rejected-keys.ts';

export interface Deletes {
  readonly deleted: number;
  readonly notes: readonly string[];
}

/** True when rows that vanish from the source are marked in the target. */
export function marksDeleted(delivery: Pick<Delivery, 'load' | 'target'>): boolean {
  return delivery.load.definition.deletes === 'mark' && delivery.load.definition.mode === 'merge';
}

/** Marks or removes the target's rows whose keys a complete read didn't find. Throws `rejected` when they are more than the guard allows. */
export async function deleteMissing(delivery: Delivery): Promise<Deletes> {
  const { load, rejected } = delivery;
  if (load.definition.deletes === 'keep' || !load.complete) return { deleted: 0, notes: [] };
  if (rejected > 0 && !(await knowsRejectedKeys(delivery))) {
    return { deleted: 0, notes: [`deletes wait: ${rejected} rejected rows don't say their key, and rows may be missing only for that`] };
  }
  return { deleted: await remove(delivery), notes: [] };
}

async function remove(delivery: Delivery): Promise<number> {
  const { client, load, table, rejected } = delivery;
  const target = quoteTable(load.target);
  const present = load.definition.mode === 'history' ? 't._is_current' : marksDeleted(delivery) ? `t.${deletedAtColumn} IS NULL` : 'true';
  const found = `EXISTS (SELECT FROM ${table.name} s WHERE ${foundBy(delivery)})`;
  const held =
    rejected === 0 ? '' : ` AND NOT EXISTS (SELECT FROM pg_temp.rejected r WHERE ${isRejectedKey(load.definition.key, 'r', 't')})`;
  const missing = `${present} AND NOT ${found}${held}`;
  const { rows } = await client.query<{ present: string; missing: string }>(
    `SELECT count(*) AS present, count(*) FILTER (WHERE ${missing}) AS missing FROM ${target} t WHERE ${present}`,
  );
  guard(delivery, Number(rows[0]?.missing), Number(rows[0]?.present));
  if (Number(rows[0]?.missing) === 0) return 0;
  const { rowCount } = await client.query(`${statement(delivery, target)} WHERE ${missing}`);
  return rowCount ?? 0;
}

/** The keys' match, with the load's values in the target's types. */
function foundBy({ load, target }: Delivery): string {
  const types = new Map(target?.columns.map((column) => [column.name, column.type]));
  const given = new Map(load.columns.map((column) => [column.name, column.type]));
  const cast = (name: string): string => {
    const type = types.get(name);
    return type === undefined || type === given.get(name) ? '' : `::${sqlType(type)}`;
  };
  return load.definition.key.map((name) => `${columnList([name], 's.')}${cast(name)} = ${columnList([name], 't.')}`).join(' AND ');
}

function statement(delivery: Delivery, target: string): string {
  if (delivery.load.definition.mode === 'history') return `UPDATE ${target} t SET _valid_to = now(), _is_current = false`;
  return marksDeleted(delivery) ? `UPDATE ${target} t SET ${deletedAtColumn} = now()` : `DELETE FROM ${target} t`;
}

function guard({ load }: Delivery, missing: number, present: number): void {
  const { maxDeleted } = load.definition;
  if (missing <= maxDeleted * present) return;
  throw new MillraceError(
    'rejected',
    `${place(load)}: ${missing} of ${present} rows of ${load.target.schema}.${load.target.table} are missing in the source, more than guards.deletes (${maxDeleted * 100}%) allows; ${load.reconciles ? 'none of them was taken out, and what this run loaded stays' : 'nothing was loaded'}. If they are really gone, set guards.deletes higher in the project file, run, and set it back`,
  );
}
