import { performance } from 'node:perf_hooks';
import type { RecordedRow } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Operation } from '../../schema/sync.ts';
import { call, halves, isMarked, recorded, settlingOf, tryLater, type Sending } from './context.ts';
import type { SizedRow } from './outgoing.ts';
import type { Item } from './work.ts';

/** Rows whose answer never came: parked where sending them again could double them, else refused, so that a later run tries again. */
function giveUp(sending: Sending, item: Item, reason: string): void {
  const parks = isMarked(settlingOf(sending, item.operation));
  sending.givenUp += item.rows.length;
  const said = `no success after ${item.tries + 1} tries: ${reason}`;
  sending.writer.record(item.rows.map(({ no }): RecordedRow => ({ no, outcome: parks ? 'unknown' : 'rejected', reason: said })));
}

/** Rows that one attempt gives up while the application answers nothing at all: one of them may be what it stumbles over. */
const mostGivenUp = 3;

/** Nothing more is tried with these rows together: alone, while others are answered; else the application is down. */
function exhausted(sending: Sending, item: Item, reason: string): void {
  const othersAreAnswered = sending.answeredAt > (item.since ?? performance.now());
  if (!othersAreAnswered && (!sending.stubborn || sending.givenUp >= mostGivenUp)) {
    sending.stop(
      new MillraceError('unavailable', `sync ${sending.sync.name}: the application does nothing that it is asked for: ${reason}`),
    );
    return;
  }
  if (item.rows.length === 1) return giveUp(sending, item, reason);
  for (const rows of halves(item.rows)) sending.work.add({ ...item, rows, tries: sending.pace.tries - 1 });
}

function park(sending: Sending, item: Item, reason: string, requestId: string | undefined): void {
  const more = requestId === undefined ? {} : { requestId };
  sending.writer.record(item.rows.map(({ no }): RecordedRow => ({ no, outcome: 'unknown', reason, ...more })));
}

/** Deals with rows that may or may not have had their effect. */
export function settleMissing(sending: Sending, item: Item, reason: string, requestId?: string): void {
  const settling = settlingOf(sending, item.operation);
  if (settling === 'none' && sending.sync.whenUnknown === 'at-most-once') return park(sending, item, reason, requestId);
  if (item.tries + 1 >= sending.pace.tries) return exhausted(sending, item, reason);
  if (settling === 'lookup') return tryLater(sending, item, sending.application.limits.requestTimeout, { step: 'settle' });
  tryLater(sending, item, 0, settling === 'none' ? { mayDouble: true } : {});
}

/** Rows that were handed over by an attempt that died: as if their answer had been missed now, but that all time has passed already. */
export function settleAtFirst(sending: Sending, item: Item): void {
  const settling = settlingOf(sending, item.operation);
  if (settling === 'lookup') return sending.work.add({ ...item, step: 'settle' });
  if (settling !== 'none') return sending.work.add(item);
  if (sending.sync.whenUnknown === 'at-most-once') {
    return park(sending, item, 'it was sent, and its answer was lost with the process that waited for it', undefined);
  }
  sending.work.add({ ...item, mayDouble: true });
}

/** What was looked up says that the effect is there, for operations that must not be repeated or need not be. */
function isThere(operation: Operation, id: string | undefined): boolean {
  switch (operation) {
    case 'create':
    case 'add':
      return id !== undefined;
    case 'delete':
    case 'archive':
    case 'remove':
      return id === undefined;
    case 'update':
    case 'upsert':
      return false;
  }
}

async function found(sending: Sending, item: Item): Promise<readonly (string | undefined)[] | undefined> {
  const { application, attempt, sync } = sending;
  if (application.find === undefined) throw new Error(`sync ${sync.name}: ${item.operation} settles by a look-up that there is none of`);
  try {
    const ids = await call(sending, async () => await application.find?.(item.rows, attempt));
    sending.answeredAt = performance.now();
    return ids;
  } catch (error) {
    const passes = error instanceof MillraceError && (error.code === 'unknown' || error.code === 'unavailable');
    if (!passes) throw error;
    if (item.tries + 1 >= sending.pace.tries) exhausted(sending, item, error.message);
    else tryLater(sending, item, 0);
    return undefined;
  }
}

/** Looks rows up; what is there is acknowledged, what isn't is sent again. */
export async function settleByLookup(sending: Sending, item: Item): Promise<void> {
  const ids = await found(sending, item);
  if (ids === undefined) return;
  const settled: RecordedRow[] = [];
  const again: SizedRow[] = [];
  item.rows.forEach((row, at) => {
    const id = ids[at];
    const known = id === undefined ? {} : { remoteId: id };
    if (isThere(item.operation, id)) settled.push(recorded(item, { no: row.no, outcome: 'acknowledged', ...known }));
    else again.push({ ...row, ...known });
  });
  sending.writer.record(settled);
  if (again.length > 0) sending.work.add({ ...item, rows: again, step: 'send' });
}
