import { MillraceError } from '../../schema/errors.ts';
import type { Outcome, OutgoingRow } from '../application.ts';

/** How requests for single rows are made side by side. */
export interface Side {
  /** Requests under way at the same time. */
  readonly width: number;
  /** When the last of them may begin, as `performance.now()` counts. */
  readonly until: number;
}

/** A wait that is worth telling row by row. */
const shortWait = 10_000;

/**
 * Sends rows one by one, some at the same time; what fails is told for its row. Throws what concerns all of them, and what had no effect
 * when nothing else had one.
 */
export async function eachRow(
  rows: readonly OutgoingRow[],
  { width, until }: Side,
  send: (row: OutgoingRow) => Promise<Outcome>,
): Promise<readonly Outcome[]> {
  const outcomes = new Map<OutgoingRow, Outcome>();
  const waiting = rows.values();
  let failure: MillraceError | undefined;
  const work = async (): Promise<void> => {
    for (const row of waiting) {
      if (failure !== undefined || performance.now() > until) return;
      try {
        outcomes.set(row, await send(row));
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome !== undefined) outcomes.set(row, outcome);
        else if (error instanceof MillraceError) failure ??= error;
        else throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, rows.length) }, work));
  if (failure !== undefined && (outcomes.size === 0 || !passesSoon(failure))) throw failure;
  const after = failure?.retryAfter ?? (failure === undefined ? 1 : 1_000);
  const reason = failure?.message ?? 'its turn did not come in time';
  return rows.map((row) => outcomes.get(row) ?? { status: 'again', reason, after });
}

/** What a failure says of its row alone; undefined for what concerns others too. */
function outcomeOf(error: unknown): Outcome | undefined {
  if (!(error instanceof MillraceError) || (error.code !== 'rejected' && error.code !== 'unknown')) return undefined;
  return { status: error.code, reason: error.message };
}

const passesSoon = ({ code, retryAfter = 0 }: MillraceError): boolean =>
  code === 'unavailable' || (code === 'rate-limited' && retryAfter <= shortWait);
