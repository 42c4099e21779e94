import type pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import { operations, type Operation, type SyncPlan } from '../../../schema/sync.ts';
import type { SyncDefinition } from '../../../schema/sync-definition.ts';
import { quoteLiteral } from '../sql.ts';
import { noKey, repeatedKey, type DiffState } from './diff.ts';

/** What a comparison found, in numbers. */
export interface PlanTotals {
  readonly planned: number;
  /** Rows of the model that are invalid. */
  readonly invalid: number;
  readonly operations: SyncPlan['operations'];
  readonly modelRows: number;
  /** Planned rows of the ledger that left the model. */
  readonly removing: number;
  /** Rows of the model that are in the ledger, and rows of the ledger that left the model. */
  readonly matched: number;
  readonly left: number;
  readonly again: number;
  readonly waiting: number;
  readonly unchanged: number;
  readonly notes: readonly string[];
}

export interface TotalRow {
  readonly state: DiffState;
  readonly operation: string | null;
  readonly in_model: boolean;
  readonly known: boolean;
  readonly again: boolean;
  readonly rematched: boolean;
  readonly rows: string;
}

/** Groups the rows of a comparison; over a plan's table, or over the query itself. */
export const totalsSql = (table: string): string =>
  `SELECT state, operation, hash IS NOT NULL OR state IN ('matched', 'added') AS in_model,
    known OR state IN ('matched', 'removed') AS known, coalesce(open = 'rejected', false) AS again, coalesce(rematched, false) AS rematched, sum(n)::bigint AS rows
  FROM ${table} GROUP BY 1, 2, 3, 4, 5, 6`;

export async function countPlan(client: pg.Client, table: string): Promise<PlanTotals> {
  const { rows } = await client.query<TotalRow>(totalsSql(table));
  return totalsOf(rows);
}

/** True when a key is listed more than once; over a plan's table, or over the query itself. */
export const repeatsSql = (table: string): string =>
  `EXISTS (SELECT FROM ${table} WHERE hash IS NOT NULL AND reason IS DISTINCT FROM ${quoteLiteral(repeatedKey)} AND key <> ${quoteLiteral(noKey)} GROUP BY key HAVING sum(n) > 1)`;

export function totalsOf(rows: readonly TotalRow[]): PlanTotals {
  const sum = (condition: (row: TotalRow) => boolean): number => rows.filter(condition).reduce((total, row) => total + Number(row.rows), 0);
  const byOperation: Partial<Record<Operation, number>> = {};
  for (const operation of operations) {
    const planned = sum((row) => row.state === 'planned' && row.operation === operation);
    if (planned > 0) byOperation[operation] = planned;
  }
  const moved = sum((row) => row.state === 'moved');
  const rematched = sum((row) => row.state === 'planned' && row.rematched);
  return {
    planned: sum((row) => row.state === 'planned'),
    invalid: sum((row) => row.state === 'invalid'),
    operations: byOperation,
    modelRows: sum((row) => row.in_model),
    removing: sum((row) => row.state === 'planned' && !row.in_model && row.known),
    matched: sum((row) => row.in_model && row.known),
    left: sum((row) => !row.in_model && row.known),
    again: sum((row) => row.state === 'planned' && row.again),
    waiting: sum((row) => row.state === 'waiting'),
    unchanged: sum((row) => row.state === 'matched' || (row.state === 'none' && row.in_model)),
    notes: [
      ...(moved === 0 ? [] : [`${moved} rows left the model, but other rows have their match now: their objects stay`]),
      ...(rematched === 0
        ? []
        : [
            `${rematched} ${rematched === 1 ? 'row has' : 'rows have'} another match than when acknowledged: objects under the old one stay`,
          ]),
    ],
  };
}

/** True when rows that are in the ledger must have a key twice, though they are not all listed. */
export function hasHiddenRepeats(totals: PlanTotals, ledgerRows: number): boolean {
  return totals.matched !== ledgerRows - totals.left;
}

/** Throws `rejected` when a run would remove more than its share of what was acknowledged. */
export function guardDeletes(sync: SyncDefinition, totals: PlanTotals, ledgerRows: number): void {
  if (totals.removing <= sync.maxDeleted * ledgerRows) return;
  throw new MillraceError(
    'rejected',
    `sync ${sync.name}: ${totals.removing} of ${ledgerRows} acknowledged rows are no longer in model ${sync.model.name} (${totals.modelRows} rows), more than guards.deletes (${sync.maxDeleted * 100}%) allows; nothing was planned. If they are really gone, set guards.deletes higher in the project file, run, and set it back`,
  );
}
