import { MillraceError } from '../../schema/errors.ts';
import type { Operation, Settling } from '../../schema/sync.ts';
import type { Batch, ObjectDescription, Outcome } from '../application.ts';
import type { Attempt } from '../connector.ts';

/** A request that does nothing and shows whether the key may do more. */
export interface Probe {
  readonly path: string;
  readonly needs: readonly Operation[];
  readonly permission: string;
}

/** One kind of object in Braze. */
export interface BrazeObject {
  readonly batchRows: number;
  readonly batchBytes: number;
  readonly writes: Readonly<Partial<Record<Operation, Settling>>>;
  readonly changedOnly: boolean;
  readonly costUnit?: string;
  readonly probes: readonly Probe[];
  /** What is wrong with the sync's own settings; undefined when nothing is. */
  problem(): Promise<string | undefined>;
  /** What works less well than it could; undefined: nothing. */
  warning?(attempt: Attempt): Promise<string | undefined>;
  describe(attempt: Attempt): Promise<ObjectDescription>;
  send(batch: Batch, attempt: Attempt): Promise<readonly Outcome[]>;
}

/** The message of what a function throws for a person to mend: `auth`, `config`, `not-found`. */
export async function refusalOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof MillraceError && ['auth', 'config', 'not-found'].includes(error.code)) return error.message;
    throw error;
  }
}
