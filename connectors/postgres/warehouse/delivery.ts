import type pg from 'pg';
import type { Load } from '../../../schema/load.ts';
import type { ContractPlan } from './contract.ts';
import type { Fence } from './fence.ts';
import type { LoadTable } from './load-table.ts';
import type { TargetTable } from './target.ts';
import type { Shape } from './verify.ts';

/** A commit at work: everything a mode needs to deliver its rows. */
export interface Delivery {
  readonly client: pg.Client;
  readonly load: Load;
  readonly fence: Fence;
  /** The load's table, its files and rows verified. */
  readonly table: LoadTable;
  readonly shape: Shape;
  readonly contract: ContractPlan;
  /** Undefined until the first load has made it. */
  readonly target: TargetTable | undefined;
  /** Rows of this load that were rejected before it came here. */
  readonly rejected: number;
}

/** What became of the rows of the load's table. */
export interface Delivered {
  readonly loaded: number;
  /** Rows without a complete key, stored as rejections by the delivery. */
  readonly rejected: number;
  readonly duplicates: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly notes: readonly string[];
}

export const nothing: Delivered = { loaded: 0, rejected: 0, duplicates: 0, unchanged: 0, deleted: 0, notes: [] };
