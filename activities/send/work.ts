import type { ApplicationLimits } from '../../connectors/application.ts';
import type { Operation } from '../../schema/sync.ts';
import type { SizedRow } from './outgoing.ts';
import { mostRows, type PlanReader } from './plan-reader.ts';

/** Rows to be sent by one request, or to be looked up first. */
export interface Item {
  readonly operation: Operation;
  readonly rows: readonly SizedRow[];
  readonly step: 'send' | 'settle';
  /** How often it was tried in vain. */
  readonly tries: number;
  /** When it was first, in milliseconds of `performance.now()`. */
  readonly since: number | undefined;
  /** The books say that it was sent. */
  readonly marked: boolean;
  /** It is sent again although it may have had its effect. */
  readonly mayDouble: boolean;
}

/** What is to be sent, given out to as many lanes as ask. */
export interface Work {
  /** Waits for something to do; undefined when there is nothing more. Each item is followed by `finished`. */
  next(): Promise<Item | undefined>;
  finished(): void;
  /** To be done soon. */
  add(item: Item): void;
  /** To be done after so many milliseconds, together with its like. */
  later(item: Item, pause: number): void;
  /** Something may have changed. */
  wake(): void;
  /** Nothing more is given out. */
  close(): void;
}

export interface WorkOptions {
  readonly reader: () => PlanReader;
  readonly limits: ApplicationLimits;
  /** May rows of the plan be taken still, with so many requests under way or to come that may each begin a job? */
  readonly takes: (operation: Operation, underWay: number) => boolean;
  /** Changes of one operation are through before the next begins; called with each batch that is taken. */
  readonly toItem: (batch: { readonly operation: Operation; readonly rows: readonly SizedRow[]; readonly sent: boolean }) => Item;
}

interface Deferred {
  readonly item: Item;
  due: boolean;
  readonly timer: NodeJS.Timeout;
}

const isLike = (one: Item, other: Item): boolean =>
  one.operation === other.operation &&
  one.step === other.step &&
  one.tries === other.tries &&
  one.marked === other.marked &&
  one.mayDouble === other.mayDouble;

const bytesOf = ({ rows }: Item): number => rows.reduce((sum, { bytes }) => sum + bytes, 0);

export function planWork({ reader, limits, takes, toItem }: WorkOptions): Work {
  const ready: Item[] = [];
  let deferred: Deferred[] = [];
  let waiters: (() => void)[] = [];
  let busy = 0;
  let closed = false;
  let operation: Operation | undefined;
  const mostDeferred = limits.batchRows * limits.concurrency * 10;

  const wake = (): void => {
    const woken = waiters;
    waiters = [];
    for (const resolve of woken) resolve();
  };
  /** What is due, with its like as far as one request holds it. */
  const takeDue = (): Item | undefined => {
    const first = deferred.find(({ due }) => due);
    if (first === undefined) return undefined;
    let rows: readonly SizedRow[] = [];
    let bytes = 0;
    const left: Deferred[] = [];
    for (const entry of deferred) {
      const fits =
        rows.length + entry.item.rows.length <= mostRows(limits, first.item.operation) && bytes + bytesOf(entry.item) <= limits.batchBytes;
      if (entry === first || (entry.due && isLike(entry.item, first.item) && fits)) {
        rows = [...rows, ...entry.item.rows];
        bytes += bytesOf(entry.item);
      } else left.push(entry);
    }
    deferred = left;
    return { ...first.item, rows };
  };
  const isClear = (): boolean => busy === 0 && ready.length === 0 && deferred.length === 0;
  const takePlanned = (): Item | undefined => {
    const batch = reader().peek();
    if (batch === undefined || !takes(batch.operation, busy + ready.length + deferred.length)) return undefined;
    if (deferred.reduce((sum, { item }) => sum + item.rows.length, 0) >= mostDeferred) return undefined;
    if (operation !== batch.operation && !isClear()) return undefined;
    operation = batch.operation;
    reader().take();
    return toItem(batch);
  };
  /** Nothing is under way that could bring more, and the plan gives nothing. */
  const isOver = (): boolean => {
    if (!isClear()) return false;
    const batch = reader().peek();
    return batch === undefined ? reader().ended() || !takes(operation ?? 'upsert', 0) : !takes(batch.operation, 0);
  };
  return {
    async next() {
      while (!closed) {
        const item = takeDue() ?? ready.pop() ?? takePlanned();
        if (item !== undefined) {
          busy += 1;
          return item;
        }
        if (isOver()) break;
        await new Promise<void>((resolve) => waiters.push(resolve));
      }
      wake();
      return undefined;
    },
    finished() {
      busy -= 1;
      wake();
    },
    add(item) {
      ready.push(item);
      wake();
    },
    later(item, pause) {
      const entry: Deferred = {
        item,
        due: false,
        timer: setTimeout(() => {
          entry.due = true;
          wake();
        }, pause),
      };
      deferred.push(entry);
    },
    wake,
    close() {
      closed = true;
      for (const { timer } of deferred) clearTimeout(timer);
      wake();
    },
  };
}
