import type { ApplicationLimits } from '../../connectors/application.ts';
import type { PlannedRow } from '../../connectors/sync-books.ts';
import type { Operation } from '../../schema/sync.ts';
import type { SizedRow } from './outgoing.ts';

/** Rows of a plan for one request. */
interface PlannedBatch {
  readonly operation: Operation;
  readonly rows: readonly SizedRow[];
  /** They were handed over before, and no outcome is known. */
  readonly sent: boolean;
}

/** Batches of a plan, read ahead. */
export interface PlanReader {
  /** The next batch, which stays the next one; undefined when none is there yet, or none is left. */
  peek(): PlannedBatch | undefined;
  take(): void;
  /** True when none is left. */
  ended(): boolean;
}

export interface PlanReaderOptions {
  readonly from: number;
  readonly pageRows: number;
  readonly limits: Pick<ApplicationLimits, 'batchRows' | 'operationRows' | 'batchBytes'>;
  readonly page: (from: number, limit: number) => Promise<readonly PlannedRow[]>;
  readonly toRow: (planned: PlannedRow) => SizedRow;
  /** Rows that belong to a job are left out. */
  readonly leftOut: (no: number) => boolean;
  /** Has a row of this operation to be settled when it was sent before? */
  readonly settles: (operation: Operation) => boolean;
  /** The numbers from `from` to before `to` have outcomes already. */
  readonly onGap: (from: number, to: number) => void;
  /** A page came, or the end. */
  readonly onChange: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** Rows that one request for an operation takes. */
export const mostRows = (limits: Pick<ApplicationLimits, 'batchRows' | 'operationRows'>, operation: Operation): number =>
  limits.operationRows?.[operation] ?? limits.batchRows;

interface Group {
  readonly operation: Operation;
  readonly sent: boolean;
  readonly rows: PlannedRow[];
}

/** Rows by operation, in order; those that were sent before are first of each. */
function groupsOf(rows: readonly PlannedRow[], settles: (operation: Operation) => boolean): readonly Group[] {
  const groups: { first: Group; others: Group }[] = [];
  for (const row of rows) {
    let last = groups.at(-1);
    if (last === undefined || last.others.operation !== row.operation) {
      const { operation } = row;
      last = { first: { operation, sent: true, rows: [] }, others: { operation, sent: false, rows: [] } };
      groups.push(last);
    }
    (row.sent && settles(row.operation) ? last.first : last.others).rows.push(row);
  }
  return groups.flatMap(({ first, others }) => [first, others]).filter((group) => group.rows.length > 0);
}

export function readPlan(options: PlanReaderOptions): PlanReader {
  const { limits, toRow, pageRows } = options;
  let next = options.from;
  let groups: Group[] = [];
  let at = 0;
  let coming: Promise<void> | undefined;
  let arrived: readonly PlannedRow[] | undefined;
  let isLast = false;
  let batch: PlannedBatch | undefined;

  const fetch = (): void => {
    if (coming !== undefined || arrived !== undefined || isLast) return;
    coming = options.page(next, pageRows).then(
      (rows) => {
        coming = undefined;
        arrived = rows;
        isLast = rows.length < pageRows;
        next = (rows.at(-1)?.no ?? next - 1) + 1;
        options.onChange();
      },
      (error: unknown) => options.onFailure(error),
    );
  };
  let seen = options.from;
  const open = (rows: readonly PlannedRow[]): void => {
    for (const { no } of rows) {
      if (no > seen) options.onGap(seen, no);
      seen = no + 1;
    }
    groups = [
      ...groupsOf(
        rows.filter(({ no }) => !options.leftOut(no)),
        options.settles,
      ),
    ];
    at = 0;
  };
  /** The next group that has rows left; takes the page that arrived, and asks for the one after it. */
  const group = (): Group | undefined => {
    while (groups[0] !== undefined && at >= groups[0].rows.length) {
      groups.shift();
      at = 0;
    }
    if (groups[0] !== undefined || arrived === undefined) return groups[0];
    const rows = arrived;
    arrived = undefined;
    open(rows);
    fetch();
    return group();
  };
  const cut = ({ operation, sent, rows }: Group): PlannedBatch => {
    const taken: SizedRow[] = [];
    const most = mostRows(limits, operation);
    for (let bytes = 0; at < rows.length && taken.length < most; at += 1) {
      const planned = rows[at];
      if (planned === undefined) break;
      const row = toRow(planned);
      if (taken.length > 0 && bytes + row.bytes > limits.batchBytes) break;
      bytes += row.bytes;
      taken.push(row);
    }
    return { operation, rows: taken, sent };
  };
  fetch();
  return {
    peek() {
      if (batch === undefined) {
        const from = group();
        batch = from === undefined ? undefined : cut(from);
      }
      return batch;
    },
    take: () => void (batch = undefined),
    ended: () => batch === undefined && group() === undefined && isLast && arrived === undefined,
  };
}
